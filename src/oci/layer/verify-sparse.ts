import { quoteBytes } from '../../bytes/byte-string.js';
import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { FsVerityHasher } from '../../composefs/fsverity/hasher.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { SparseExpander } from '../../tar/expand-sparse.js';
import type { Steps } from '../../threads/turns.js';
import { type EntryReader, LayerError, readTarEntries, type StoredSparse } from './tar-entry.js';

/** What the check needs of an object store. */
interface ObjectReader {
  readonly algorithm: HashAlgorithm;
  readObjectChunks(id: ObjectId): Iterable<Buffer>;
}

/**
 * Checks that the sparse files of a layer are what its tar says: the digest of the tar does not tell, as these objects
 * are no part of it.
 *
 * @param reader - at its beginning.
 * @throws LayerError
 */
export function* sparseFileSteps(objects: ObjectReader, reader: EntryReader): Steps<void> {
  if (reader.detachedRefs.length === 0) return;
  for (const { path, item, sparse } of readTarEntries(reader)) {
    yield;
    if (sparse === undefined || item.type !== 'leaf' || item.content.type !== 'regular') continue;
    const { file } = item.content;
    if (file.storage === 'external' && file.id === (yield* expandedIdSteps(objects, sparse))) continue;
    throw new LayerError(`The object of the sparse file ${quoteBytes(path)} is not what the layer has`);
  }
}

/** Undefined if the data do not have their size. */
function* expandedIdSteps(objects: ObjectReader, { file, data, dataSize }: StoredSparse): Steps<ObjectId | undefined> {
  const hasher = new FsVerityHasher(objects.algorithm);
  const expander = new SparseExpander(file, {
    write: (chunk) => hasher.update(chunk),
    writeZeros: (length) => hasher.updateZeros(length),
  });
  let size = 0;
  for (const chunk of data === undefined ? [] : objects.readObjectChunks(data)) {
    yield;
    size += chunk.length;
    if (size > dataSize) return undefined;
    expander.write(chunk);
  }
  expander.finish();
  return size === dataSize ? hasher.digest() : undefined;
}
