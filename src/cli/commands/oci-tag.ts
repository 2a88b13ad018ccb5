import { resolveImage, tagImage, untagImage, validateTag } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { checkReference } from './oci-reference.js';

export interface OciTagOptions {
  readonly json?: boolean;
}

export async function ociTag(context: Context, image: string, name: string, { json }: OciTagOptions): Promise<void> {
  checkReference('<IMAGE>', image);
  await withRepository(context, async (repo) => {
    // What the new tag must not be is the more useful thing to say.
    validateTag(name);
    const { digest: manifest } = await resolveImage(repo, image);
    await tagImage(repo, manifest, name);
    if (json) await context.output.json({ tag: name, manifest_digest: manifest });
    else await context.output.line(`Tagged ${manifest} as ${name}`);
  });
}

export async function ociUntag(context: Context, name: string, { json }: OciTagOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    await untagImage(repo, name);
    if (json) await context.output.json({ removed: [name] });
    else await context.output.line(`Removed tag ${name}`);
  });
}
