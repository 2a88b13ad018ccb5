import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { OciDigest } from '../model/digest.js';
import { hasHost, parseNamedReference, type RegistryReference } from '../model/registry-reference.js';
import { findManifest } from '../store/stored-manifests.js';
import { listRefs } from '../store/tags.js';

/** More tags say nothing that those have not said. */
const MAX_TAGS = 1000;
/** Each costs a right to be asked for. */
const MAX_REPOSITORIES = 8;

/** For each blob the other repositories of the registry that are likely to have it. */
export type MountSources = ReadonlyMap<OciDigest, readonly string[]>;

/**
 * What the tags here tell of a registry's other repositories: an image that was pulled from one, and kept the reference as
 * its tag, has its blobs there.
 */
export function mountSources(repo: ReadableRepository, target: RegistryReference): MountSources {
  const sources = new Map<OciDigest, string[]>();
  const repositories = new Set<string>();
  for (const [tag, digest] of listRefs(repo).slice(0, MAX_TAGS)) {
    const repository = repositoryOf(tag, target);
    if (repository === undefined) continue;
    if (!repositories.has(repository) && repositories.size === MAX_REPOSITORIES) continue;
    const stored = findManifest(repo, digest);
    if (stored === undefined) continue;
    repositories.add(repository);
    for (const blob of [stored.manifest.config, ...stored.manifest.layers]) {
      const known = sources.get(blob.digest) ?? [];
      if (!known.includes(repository)) sources.set(blob.digest, [...known, repository]);
    }
  }
  return sources;
}

/** The repository that a tag names, if it is another one of the same registry. */
function repositoryOf(tag: string, { host, repository }: RegistryReference): string | undefined {
  const name = tag.replace(/^docker:\/\//, '');
  // A tag without a host is somebody's own.
  if (!hasHost(name)) return undefined;
  try {
    const named = parseNamedReference(name);
    return named.host === host && named.repository !== repository ? named.repository : undefined;
  } catch {
    return undefined;
  }
}
