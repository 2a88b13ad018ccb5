/** What the socket may bring ahead of its reader, in bytes. TLS may still hand on a little of what it has received. */
const MAX_WAITING = 256 << 10;
const FIRST_BLOCK = 16 << 10;

/**
 * The bytes of a socket that wait for their reader, in two blocks of memory: one is filled while the reader looks at the
 * other. With memory of their own for all pieces of a large blob, V8 collected the whole heap for every ten megabytes.
 */
export class Inbox {
  #filling: Buffer = Buffer.alloc(0);
  #used = 0;
  #other: Buffer = Buffer.alloc(0);

  /** Bytes that wait. */
  get size(): number {
    return this.#used;
  }

  get isFull(): boolean {
    return this.#used >= MAX_WAITING;
  }

  /** @param data copied. */
  append(data: Uint8Array): void {
    const size = this.#used + data.length;
    if (size > this.#filling.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BLOCK, 2 * size));
      this.#filling.copy(grown, 0, 0, this.#used);
      this.#filling = grown;
    }
    this.#filling.set(data, this.#used);
    this.#used = size;
  }

  /** All that waits, until the next call; empty if nothing does. */
  take(): Buffer {
    const taken = this.#filling.subarray(0, this.#used);
    [this.#filling, this.#other] = [this.#other, this.#filling];
    this.#used = 0;
    return taken;
  }
}
