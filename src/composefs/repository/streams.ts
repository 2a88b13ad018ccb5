import { type ObjectId, objectPathname } from '../fsverity/object-id.js';
import type { RepositoryHost, SyncingHost } from './host.js';
import { validateContentIdentifier, validateRefName } from './names.js';
import { createSymlink } from './symlink.js';

/** Storing streams: links in `streams/` to splitstream objects, and references to those (spec 10 §12). */

/**
 * Names a splitstream that is an object already, and the reference if one is given.
 *
 * Everything is brought to disk before the names appear: after a crash a stream is either absent or complete.
 */
export function registerStream(repository: SyncingHost, id: ObjectId, contentIdentifier: string, ref?: string): void {
  validateContentIdentifier(contentIdentifier);
  if (ref !== undefined) validateRefName(ref);
  repository.objects.ensureWritable();
  repository.sync();
  createSymlink(repository.path, `streams/${contentIdentifier}`, `objects/${objectPathname(id)}`);
  if (ref !== undefined) nameStream(repository, contentIdentifier, ref);
}

/** Stores the bytes of a splitstream file, then as {@link registerStream}. */
export function storeStream(
  repository: SyncingHost,
  file: Iterable<Uint8Array>,
  contentIdentifier: string,
  ref?: string,
): ObjectId {
  const { id } = repository.objects.ensureObjectFromChunks(file);
  registerStream(repository, id, contentIdentifier, ref);
  return id;
}

/** Points the reference to the stream, also if it pointed elsewhere. Whether the stream exists is not checked. */
export function nameStream(repository: RepositoryHost, contentIdentifier: string, ref: string): void {
  const target = `streams/${validateContentIdentifier(contentIdentifier)}`;
  const name = `streams/refs/${validateRefName(ref)}`;
  repository.objects.ensureWritable();
  createSymlink(repository.path, name, target);
}
