import { closeSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { quoteBytes } from '../../../bytes/byte-string.js';
import { closeOnError } from '../../../fs/files.js';
import { descriptorLimit } from '../../../linux/process.js';
import { type LayerFile, StoreError, type TarReceiver } from '../../../storage/index.js';
import { Turns } from '../../../threads/turns.js';
import type { FileQueue } from './file-queue.js';
import type { PushedTar } from './store-tar.js';

/** Files up to this size become known in one piece. */
const BUFFER_SIZE = 8 << 20;
/** Larger ones are read so much at a time. */
const PIECE_BYTES = 1 << 20;
/** So much goes on at a time: small enough for the caches of a processor, many files at once. */
const BATCH_BYTES = 512 << 10;
/** Files that are open at a time; fewer where the process may open few: several threads do so. */
const BATCH_FILES = 64;
/** Of one batch: each thread that helps has two of them, and as many again wait. */
const SHARE_OF_DESCRIPTORS: number = 1 / (16 * availableParallelism());

/** How many files of a layer are read before they go on. */
export function filesOfBatch(): number {
  return Math.max(1, Math.floor(Math.min(BATCH_FILES, descriptorLimit() * SHARE_OF_DESCRIPTORS)));
}

/**
 * The tar of a layer on its way from a store of containers/storage: what lies between files, and small files, many pieces
 * at a time. The queue is told of the files first.
 */
export class FileBatch implements TarReceiver {
  readonly #queue: FileQueue;
  readonly #tar: PushedTar;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  readonly #maxFiles = filesOfBatch();
  readonly #turns: Turns;
  #used = 0;
  #files = 0;

  constructor(queue: FileQueue, tar: PushedTar, signal: AbortSignal) {
    this.#queue = queue;
    this.#tar = tar;
    this.#turns = new Turns(signal);
  }

  bytes(bytes: Buffer): void {
    if (bytes.length > BATCH_BYTES) {
      this.flush();
      this.#tar.push(bytes);
      return;
    }
    this.#makeRoom(bytes.length);
    this.#used += bytes.copy(this.#buffer, this.#used);
  }

  file(file: LayerFile): void | Promise<void> {
    if (file.size > BUFFER_SIZE) return this.#pushLarge(file);
    const content = closeOnError(file.fd, () => {
      this.#makeRoom(file.size);
      const memory = this.#buffer.subarray(this.#used, this.#used + file.size);
      readWhole(file, memory, 0);
      return memory;
    });
    this.#used += file.size;
    this.#files++;
    this.#queue.expectFile(file, content);
    if (this.#used >= BATCH_BYTES || this.#files >= this.#maxFiles) this.flush();
  }

  /** Pushes what was gathered. */
  flush(): void {
    if (this.#used > 0) this.#tar.push(this.#buffer.subarray(0, this.#used));
    this.close();
  }

  /** Drops what was gathered. */
  close(): void {
    this.#used = 0;
    this.#files = 0;
    this.#queue.forgetFiles();
  }

  #makeRoom(size: number): void {
    if (this.#used + size > BUFFER_SIZE) this.flush();
  }

  async #pushLarge(file: LayerFile): Promise<void> {
    try {
      this.flush();
      this.#queue.expectLargeFile(file);
      for (let position = 0; position < file.size; ) {
        if (this.#turns.isOver()) await this.#turns.next();
        const chunk = this.#buffer.subarray(0, Math.min(PIECE_BYTES, file.size - position));
        readWhole(file, chunk, position);
        position += chunk.length;
        // Nothing else of the layer has a turn meanwhile, and no thread helps. That is a quarter of the time of 1 GiB, for
        // 4 % of its processor time; of small files it is no gain.
        await this.#tar.pushBeside(chunk);
      }
      this.#queue.forgetFiles();
    } finally {
      closeSync(file.fd);
    }
  }
}

/** @throws StoreError `LAYER_FILE_CHANGED` */
function readWhole({ fd, name }: LayerFile, target: Buffer, position: number): void {
  for (let used = 0; used < target.length; ) {
    const count = readSync(fd, target, used, target.length - used, position + used);
    if (count === 0) throw new StoreError('LAYER_FILE_CHANGED', `file ${quoteBytes(name)} was cut short`);
    used += count;
  }
}
