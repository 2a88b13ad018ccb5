import type { Spool } from '../../../fs/spool.js';
import { type ObjectId, objectPathname } from '../../fsverity/object-id.js';
import type { RepositoryHost } from '../objects/host.js';
import { validateContentIdentifier, validateRefName } from './names.js';
import { createSymlink } from './symlink.js';

/** Storing streams: links in `streams/` to splitstream objects, and references to those (spec 10 §12). */

/** A splitstream that is an object already, and the names that it is to have. */
export interface StreamNames {
  readonly id: ObjectId;
  readonly contentIdentifier: string;
  readonly ref?: string | undefined;
}

/** Before anything is done for names that cannot be given. */
export function validateStreamNames(streams: readonly StreamNames[]): void {
  for (const { contentIdentifier, ref } of streams) {
    validateContentIdentifier(contentIdentifier);
    if (ref !== undefined) validateRefName(ref);
  }
}

/**
 * Names streams, one right after the other, that are on disk already, with all that they name: after a crash a stream is
 * either absent or complete.
 */
export function linkStreams(repository: RepositoryHost, streams: readonly StreamNames[]): void {
  repository.objects.ensureWritable();
  for (const { id, contentIdentifier, ref } of streams) {
    validateContentIdentifier(contentIdentifier);
    createSymlink(repository.root, `streams/${contentIdentifier}`, `objects/${objectPathname(id)}`);
    if (ref !== undefined) nameStream(repository, contentIdentifier, ref);
  }
}

/** Stores the bytes of a splitstream file. It has no name then: see {@link linkStreams}. */
export function storeStream({ objects }: RepositoryHost, file: Pick<Spool, 'chunks'>): ObjectId {
  return objects.ensureIntact(() => objects.ensureObjectFromChunks(file.chunks()));
}

/**
 * Points the reference to the stream, also if it pointed elsewhere. Whether the stream exists is not checked.
 *
 * @returns false if it pointed there already.
 */
export function nameStream(repository: RepositoryHost, contentIdentifier: string, ref: string): boolean {
  const target = `streams/${validateContentIdentifier(contentIdentifier)}`;
  const name = `streams/refs/${validateRefName(ref)}`;
  repository.objects.ensureWritable();
  return createSymlink(repository.root, name, target);
}
