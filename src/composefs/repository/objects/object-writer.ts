import { ftruncateSync } from 'node:fs';
import { ComposefsError } from '../../../errors.js';
import { writeFully } from '../../../fs/files.js';
import type { StagedFile } from '../../../fs/staged-file.js';
import { FsVerityHasher } from '../../fsverity/hasher.js';
import type { ObjectDestination, StoredObject } from './stored-object.js';

/** Up to this many bytes are kept in memory: most files of an image are smaller and many are there already. */
const MEMORY_LIMIT = 256 * 1024;

/**
 * Stores an object whose content comes in pieces: hashed while it is written (spec 10 §10.3 to §10.5).
 *
 * End it with {@link finish} or {@link abort}; until then nothing is visible in the store.
 */
export class ObjectWriter {
  readonly #store: ObjectDestination;
  #pending: Buffer[] = [];
  #size = 0;
  /** Where in the file the next byte goes. */
  #position = 0;
  #hasher: FsVerityHasher | undefined;
  #file: StagedFile | undefined;
  #ended = false;

  constructor(store: ObjectDestination) {
    this.#store = store;
  }

  /** Appends; `chunk` may be used anew by the caller afterwards. */
  write(chunk: Uint8Array): void {
    this.#requireOpen();
    this.#size += chunk.length;
    if (this.#file !== undefined) this.#append(this.#file, chunk);
    else if (this.#size <= MEMORY_LIMIT) this.#pending.push(Buffer.from(chunk));
    else {
      const file = this.#spill();
      this.#append(file, chunk);
    }
  }

  /** Appends zeros. Many of them become a hole of the file. */
  writeZeros(length: number): void {
    this.#requireOpen();
    if (this.#size + length <= MEMORY_LIMIT) {
      if (length > 0) this.write(Buffer.alloc(length));
      return;
    }
    this.#size += length;
    const file = this.#file ?? this.#spill();
    this.#hash().updateZeros(length);
    this.#position += length;
    ftruncateSync(file.fd, this.#position);
  }

  /**
   * Completes the object.
   *
   * @param expectedSize in bytes; if that is not what was written, nothing is stored and the error is `SIZE_MISMATCH`.
   */
  finish(expectedSize: number = this.#size): StoredObject {
    this.#requireOpen();
    try {
      if (this.#size !== expectedSize) {
        throw new ComposefsError('SIZE_MISMATCH', `Expected ${expectedSize} bytes, got ${this.#size}`);
      }
      return this.#file === undefined ? this.#finishSmall() : this.#finishLarge(this.#file);
    } finally {
      this.abort();
    }
  }

  /** Drops what was written. Does nothing after {@link finish}. */
  abort(): void {
    this.#ended = true;
    this.#pending = [];
    this.#file?.discard();
    this.#file = undefined;
  }

  #finishSmall(): StoredObject {
    const [first, ...others] = this.#pending;
    return this.#store.storeObject(first !== undefined && others.length === 0 ? first : Buffer.concat(this.#pending));
  }

  #finishLarge(file: StagedFile): StoredObject {
    const size = this.#size;
    const id = this.#hash().digest();
    // Before verity is enabled, which costs another pass over the data.
    if (this.#store.hasSize(id, size)) return { id, size, method: 'already-present' };
    this.#store.seal(file, id);
    return { id, size, method: this.#store.place(file, id, size) ? 'copied' : 'already-present' };
  }

  #spill(): StagedFile {
    const file = this.#store.stage(0o644);
    this.#file = file;
    for (const chunk of this.#pending) this.#append(file, chunk);
    this.#pending = [];
    return file;
  }

  #append(file: StagedFile, chunk: Uint8Array): void {
    this.#hash().update(chunk);
    writeFully(file.fd, chunk, this.#position);
    this.#position += chunk.length;
  }

  #hash(): FsVerityHasher {
    this.#hasher ??= new FsVerityHasher(this.#store.algorithm);
    return this.#hasher;
  }

  #requireOpen(): void {
    if (this.#ended) throw new ComposefsError('WRITER_ENDED', 'the object writer has ended already');
  }
}
