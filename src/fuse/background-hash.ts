import { closeSync, read } from 'node:fs';
import { promisify } from 'node:util';
import type { ErofsInode } from '../composefs/erofs/reader/inode.js';
import { FsVerityHasher } from '../composefs/fsverity/hasher.js';
import type { ObjectId } from '../composefs/fsverity/object-id.js';
import { ComposefsError } from '../errors.js';
import type { ExpectedDigest, ExternalContent, ObjectFiles } from './object-files.js';

/** What is hashed before something else gets its turn: about a millisecond. */
const SLICE_SIZE = 1024 * 1024;

const readAsync = promisify(read);

/** Hashes large objects piece by piece, each once however many wait for it, so that none has to wait for another. */
export class BackgroundHash {
  readonly #objects: ObjectFiles;
  readonly #signal: AbortSignal;
  /** By path and digest. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(objects: ObjectFiles, signal: AbortSignal) {
    this.#objects = objects;
    this.#signal = signal;
  }

  /**
   * Checks the object of a file.
   *
   * @throws ComposefsError `DAMAGED_OBJECT`; errors of `open(2)` and `read(2)`; the reason of the signal
   */
  async verify(inode: ErofsInode): Promise<void> {
    const content = this.#objects.locate(inode);
    const digest = content?.digest;
    if (content === undefined || digest === undefined) return;
    const key = `${content.path.toString('latin1')}\0${digest.id}`;
    let running = this.#running.get(key);
    if (running === undefined) {
      running = this.#run(content, digest).finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    await running;
  }

  async #run(content: ExternalContent, { algorithm }: ExpectedDigest): Promise<void> {
    const fd = this.#objects.openUnverified(content);
    try {
      this.#objects.conclude(content, await this.#hash(fd, new FsVerityHasher(algorithm), content.size));
    } finally {
      closeSync(fd);
    }
  }

  async #hash(fd: number, hasher: FsVerityHasher, size: number): Promise<ObjectId> {
    const buffer = Buffer.allocUnsafeSlow(SLICE_SIZE);
    for (let position = 0; position < size; ) {
      this.#signal.throwIfAborted();
      const { bytesRead } = await readAsync(fd, buffer, 0, SLICE_SIZE, position);
      if (bytesRead === 0) throw new ComposefsError('DAMAGED_OBJECT', 'an object became shorter while it was read');
      hasher.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    return hasher.digest();
  }
}
