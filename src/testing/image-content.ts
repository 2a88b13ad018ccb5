import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptor } from '../oci/model/descriptor.js';
import { parseOciDigest } from '../oci/model/digest.js';
import type { ImageIndex } from '../oci/model/index-document.js';
import { parseIndex } from '../oci/model/index-document.js';
import type { ImageManifest } from '../oci/model/manifest.js';
import { isIndexMediaType, isManifestMediaType, REF_NAME_ANNOTATION } from '../oci/model/media-types.js';
import { type RepositoryContents, storeManifest } from './registry-contents.js';

/** A manifest or index: its bytes as they are, or a document that is written as JSON. */
export type ManifestInput = Uint8Array | ImageManifest | ImageIndex;

export function manifestBytes(manifest: ManifestInput): Buffer {
  return manifest instanceof Uint8Array ? Buffer.from(manifest) : Buffer.from(JSON.stringify(manifest));
}

/**
 * Puts an OCI layout directory into a repository. Blobs stay in their files and are read when they are asked for;
 * manifests and indexes, also those that an index names, are stored as such. Entries with a name get it as their tag.
 *
 * @param tag - for all entries without a name.
 * @returns the descriptors of `index.json`.
 */
export function loadLayout(repository: RepositoryContents, path: string, tag: string): readonly Descriptor[] {
  const blobs = join(path, 'blobs', 'sha256');
  for (const hex of readdirSync(blobs)) {
    const file = join(blobs, hex);
    repository.blobs.set(parseOciDigest(`sha256:${hex}`), { path: file, size: statSync(file).size });
  }
  const { value } = parseIndex(readFileSync(join(path, 'index.json')));
  const pending = [...value.manifests];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const isIndex = isIndexMediaType(next.mediaType);
    if ((!isIndex && !isManifestMediaType(next.mediaType)) || repository.manifests.has(next.digest)) continue;
    const file = join(blobs, next.digest.slice('sha256:'.length));
    // An index may name images that the layout does not have.
    if (!isFile(file)) continue;
    const { raw } = storeManifest(repository, readFileSync(file), next.mediaType);
    if (isIndex) pending.push(...parseIndex(raw).value.manifests);
  }
  for (const entry of value.manifests) {
    repository.tags.set(entry.annotations?.[REF_NAME_ANNOTATION] ?? tag, entry.digest);
  }
  return value.manifests;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
