import { closeSync, ftruncateSync, readSync, writeSync } from 'node:fs';

const READ_BYTES = 1 << 20;

/**
 * The beginning of a blob in a file of its own. It only grows, by what was received, so that after a crash at any
 * moment its bytes are the blob's first bytes; whether they are the right ones turns out when the whole blob is hashed.
 * The file is locked while it is open: nobody else writes it, and nobody sweeps it.
 */
export class PartialBlob {
  #fd: number;
  #size: number;

  /** @param fd - open for reading and writing, locked, and this object's from now on. */
  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.#size = size;
  }

  /** Bytes in the file. */
  get size(): number {
    return this.#size;
  }

  /** The bytes in the file when the call was made. */
  *chunks(): Generator<Buffer> {
    const end = this.#size;
    for (let position = 0; position < end; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - position));
      const count = readSync(this.#fd, buffer, 0, buffer.length, position);
      if (count === 0) return;
      yield buffer.subarray(0, count);
      position += count;
    }
  }

  /** Appends what was received. */
  append(data: Uint8Array): void {
    for (let offset = 0; offset < data.length; ) {
      const count = writeSync(this.#fd, data, offset, data.length - offset, this.#size);
      offset += count;
      this.#size += count;
    }
  }

  /** Forgets the bytes: they were wrong, or their room is needed. */
  reset(): void {
    ftruncateSync(this.#fd, 0);
    this.#size = 0;
  }

  /** Ends the work on the file; it stays for the next time. Does nothing a second time. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}
