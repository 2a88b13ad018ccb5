import { ComposefsError } from '../../errors.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { measureFd } from '../fsverity/digest.js';
import type { ObjectId } from '../fsverity/object-id.js';

/** Where the content of large files goes. */
export interface FileStore {
  /** Stores the content of an open file, from its start, and returns the id. */
  ensureObjectFromFd(fd: number, size: number): ObjectId;
}

const READ_SIZE = 1024 * 1024;

/** Computes what the objects of files would be, and stores nothing. */
export class FileDigests implements FileStore {
  readonly #algorithm: HashAlgorithm;
  #buffer: Buffer | undefined;

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm;
  }

  /** @throws ComposefsError `FILE_CHANGED` if the file does not have that size. */
  ensureObjectFromFd(fd: number, size: number): ObjectId {
    this.#buffer ??= Buffer.allocUnsafe(READ_SIZE);
    const read = measureFd(this.#algorithm, fd, this.#buffer);
    // A digest of one content and the size of another would make a file that can never be read.
    if (read.size !== size) throw new ComposefsError('FILE_CHANGED', 'File size changed while it was read');
    return read.id;
  }
}
