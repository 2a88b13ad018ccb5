import { ComposefsError } from '../../errors.js';
import { runSteps, type Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { measureFdSteps } from '../fsverity/digest.js';
import type { ObjectId } from '../fsverity/object-id.js';

/** Where the content of large files goes. */
export interface FileStore {
  /** Stores the content of an open file, from its start, and returns the id. */
  ensureObjectFromFd(fd: number, size: number): ObjectId;
}

/** One that a thread with other things to do can use, too. */
export interface SteppedFileStore extends FileStore {
  /** {@link FileStore.ensureObjectFromFd} */
  ensureObjectFromFdSteps(fd: number, size: number): Steps<ObjectId>;
}

const READ_SIZE = 1024 * 1024;

/** Computes what the objects of files would be, and stores nothing. */
export class FileDigests implements SteppedFileStore {
  readonly #algorithm: HashAlgorithm;
  #buffer: Buffer | undefined;

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm;
  }

  /** @throws ComposefsError `FILE_CHANGED` if the file does not have that size. */
  ensureObjectFromFd(fd: number, size: number): ObjectId {
    return runSteps(this.ensureObjectFromFdSteps(fd, size));
  }

  /** {@link ensureObjectFromFd}. */
  *ensureObjectFromFdSteps(fd: number, size: number): Steps<ObjectId> {
    this.#buffer ??= Buffer.allocUnsafeSlow(READ_SIZE);
    const read = yield* measureFdSteps(this.#algorithm, fd, this.#buffer);
    // A digest of one content and the size of another would make a file that can never be read.
    if (read.size !== size) throw new ComposefsError('FILE_CHANGED', 'File size changed while it was read');
    return read.id;
  }
}
