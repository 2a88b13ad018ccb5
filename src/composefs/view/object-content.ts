import { closeSync, fstatSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { ComposefsError, errorCode } from '../../errors.js';
import { closeOnError } from '../../fs/files.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { FsVerityHasher } from '../fsverity/hasher.js';
import type { ObjectId } from '../fsverity/object-id.js';

const readAsync = promisify(read);

/** What is read at once: little enough that hashing it does not hold up the event loop. */
export const CHUNK_SIZE: number = 256 * 1024;

/** Where objects come from: an `ObjectStore` is one. */
export interface ObjectOpener {
  readonly algorithm: HashAlgorithm;
  /** A descriptor that the caller closes. */
  openObject(id: ObjectId): number;
}

/** The content of objects, read without holding up the event loop. */
export class ObjectContent {
  readonly #objects: ObjectOpener;
  readonly #verified: Set<ObjectId> | undefined;

  /** @param verify whether an object is hashed before a byte of it is given out. */
  constructor(objects: ObjectOpener, verify: boolean) {
    this.#objects = objects;
    this.#verified = verify ? new Set() : undefined;
  }

  /**
   * The bytes from `start` up to `end`, exclusive.
   *
   * @param size that the object must have.
   * @throws ComposefsError `MISSING_OBJECT`, `WRONG_FILE_SIZE`, `DIGEST_MISMATCH`
   */
  async *read(id: ObjectId, size: number, start: number, end: number): AsyncGenerator<Buffer> {
    const fd = this.#open(id, size);
    try {
      await this.#verify(fd, id);
      yield* readRange(fd, id, start, end);
    } finally {
      closeSync(fd);
    }
  }

  #open(id: ObjectId, size: number): number {
    const fd = openObject(this.#objects, id);
    return closeOnError(fd, () => {
      const found = fstatSync(fd).size;
      if (found !== size) {
        throw new ComposefsError('WRONG_FILE_SIZE', `object ${id} has ${found} bytes, and the image says ${size}`);
      }
      return fd;
    });
  }

  async #verify(fd: number, id: ObjectId): Promise<void> {
    if (this.#verified === undefined || this.#verified.has(id)) return;
    const hasher = new FsVerityHasher(this.#objects.algorithm);
    for await (const chunk of readRange(fd, id, 0, fstatSync(fd).size)) hasher.update(chunk);
    const found = hasher.digest();
    if (found !== id) throw new ComposefsError('DIGEST_MISMATCH', `object ${id} has the digest ${found}`);
    this.#verified.add(id);
  }
}

function openObject(objects: ObjectOpener, id: ObjectId): number {
  try {
    return objects.openObject(id);
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause;
    const hint = 'the repository has lost it: `cfsctl fsck` says what else; pull the image again';
    throw new ComposefsError('MISSING_OBJECT', `object ${id} is not in the repository`, { cause, hint });
  }
}

/**
 * The bytes of an object's file from `start` up to `end`, exclusive, in buffers of their own.
 *
 * @throws ComposefsError `WRONG_FILE_SIZE` if the file ends before that.
 */
export async function* readRange(fd: number, id: ObjectId, start: number, end: number): AsyncGenerator<Buffer> {
  for (let position = start; position < end; ) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, end - position));
    const { bytesRead } = await readAsync(fd, chunk, 0, chunk.length, position);
    if (bytesRead === 0) throw new ComposefsError('WRONG_FILE_SIZE', `object ${id} became shorter while it was read`);
    position += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}
