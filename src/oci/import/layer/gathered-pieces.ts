import { FsVerityHasher } from '../../../composefs/fsverity/hasher.js';
import {
  type ContentWriter,
  type HashedSink,
  MAX_QUEUED_OBJECT,
  type ObjectQueue,
  type WhenStored,
} from './object-queue.js';

/**
 * Objects that come in pieces, one at a time. They are gathered and queued when they are whole; those that are too large for
 * that are written as they come.
 *
 * Where objects are hashed by this thread that is done piece by piece: hashing up to 8 MiB at once would let the decoder wait,
 * which is one piece ahead, and have this thread wait for it while the next object is gathered.
 */
export class GatheredPieces {
  readonly #queue: ObjectQueue;
  readonly #sink: HashedSink | undefined;
  /** For all that are gathered. */
  #buffer: Buffer | undefined;
  #gathered = 0;
  #hasher: FsVerityHasher | undefined;
  /** Of one that is too large. */
  #writer: ContentWriter | undefined;

  constructor(queue: ObjectQueue) {
    this.#queue = queue;
    this.#sink = queue.hashedSink;
  }

  /** @param size in bytes. */
  begin(size: number): void {
    this.#gathered = 0;
    if (size > MAX_QUEUED_OBJECT) {
      this.#writer = this.#queue.createWriter();
      return;
    }
    this.#buffer ??= Buffer.allocUnsafeSlow(MAX_QUEUED_OBJECT);
    if (this.#sink === undefined) return;
    this.#hasher ??= new FsVerityHasher(this.#sink.algorithm);
    this.#hasher.reset();
  }

  /** The caller may reuse the piece afterwards. */
  write(piece: Buffer): void {
    if (this.#writer !== undefined) {
      this.#writer.write(piece);
      return;
    }
    this.#hasher?.update(piece);
    this.#gathered += piece.copy(this.#memory(), this.#gathered);
  }

  end(stored: WhenStored): void {
    const data = this.#memory().subarray(0, this.#gathered);
    if (this.#writer !== undefined) this.#queue.queueStored(this.#writer.finish(), stored);
    else if (this.#sink === undefined || this.#hasher === undefined) this.#queue.queueObject(data, stored);
    else this.#queue.queueStored(this.#sink.storeHashed(this.#hasher.digest(), data), stored);
    this.#writer = undefined;
  }

  /** Drops what has begun. */
  abort(): void {
    this.#writer?.abort();
    this.#writer = undefined;
  }

  #memory(): Buffer {
    return this.#buffer ?? Buffer.alloc(0);
  }
}
