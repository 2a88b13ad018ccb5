import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Links to streams and images, without those to manifests: the reference writes their layers in random order. */
export function repositoryLinks(repo: string): string[] {
  return ['streams', 'images'].flatMap((category) =>
    readdirSync(join(repo, category))
      .filter((name) => name !== 'refs' && !name.startsWith('oci-manifest-'))
      .sort()
      .map((name) => `${category}/${name} -> ${readlinkSync(join(repo, category, name))}`),
  );
}
