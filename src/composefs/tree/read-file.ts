import { byteStringToText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { type ObjectId, objectIdFromPathname } from '../fsverity/object-id.js';
import type { RegularFile } from './inode.js';

/** Where the content of large files comes from. */
export interface ObjectSource {
  readonly algorithm: HashAlgorithm;
  /** The whole object in pieces. */
  readObjectChunks(id: ObjectId): Iterable<Buffer>;
}

/** The content of a regular file; nothing of a sparse one. */
export function readFile(file: RegularFile, objects: ObjectSource): Buffer {
  return Buffer.concat([...readFileChunks(file, objects)]);
}

/**
 * {@link readFile} in pieces.
 *
 * @throws ComposefsError `WRONG_FILE_SIZE` if the object is not as long as the file.
 */
export function* readFileChunks(file: RegularFile, objects: ObjectSource): Generator<Buffer> {
  if (file.storage === 'inline') yield file.data;
  if (file.storage === 'inline' || file.storage === 'sparse') return;
  let rest = file.size;
  for (const chunk of objects.readObjectChunks(objectOf(file, objects.algorithm))) {
    rest -= chunk.length;
    // At once: an object that is longer than the file says must not fill a disk.
    if (rest < 0) throw wrongSize();
    yield chunk;
  }
  if (rest !== 0) throw wrongSize();
}

/** The object that a file names, by digest or else by path. */
function objectOf(
  file: Extract<RegularFile, { storage: 'external' | 'external-no-verity' }>,
  algorithm: HashAlgorithm,
): ObjectId {
  return file.storage === 'external' ? file.id : objectIdFromPathname(algorithm, byteStringToText(file.payload));
}

function wrongSize(): ComposefsError {
  return new ComposefsError('WRONG_FILE_SIZE', "File content doesn't have the expected length");
}
