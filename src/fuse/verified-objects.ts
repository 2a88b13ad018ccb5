/** In front of the slots: the lock of those who add one. */
const LOCK = 0;
const FIRST_SLOT = 1;

/** States of a slot. */
const EMPTY = 0;
const UNKNOWN = 1;
const BUSY = 2;
const VERIFIED = 3;

export const VERIFIED_KEY_SIZE = 32;

/** An inode with a digest and a path has at least this many bytes in an image. */
const LEAST_INODE_SIZE = 96;

/**
 * Which objects were found to be what their digest says, shared by the threads that serve a mount: each is checked once,
 * by one thread, while others that want the same object wait for it. Failures are not remembered, so that a repaired
 * object can be read again.
 *
 * A hash table with open addressing in shared memory, as large as the image can need; the pages that nobody touches
 * cost nothing.
 */
export class VerifiedObjects {
  readonly buffer: SharedArrayBuffer;
  readonly #states: Int32Array;
  readonly #keys: Buffer;
  readonly #capacity: number;

  /** @param buffer of {@link VerifiedObjects.forImage}, perhaps in another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#capacity = (buffer.byteLength - 4 * FIRST_SLOT) / (4 + VERIFIED_KEY_SIZE);
    this.#states = new Int32Array(buffer, 0, FIRST_SLOT + this.#capacity);
    this.#keys = Buffer.from(buffer, this.#states.byteLength);
  }

  /** @param imageSize in bytes. */
  static forImage(imageSize: number): VerifiedObjects {
    const most = Math.ceil(imageSize / LEAST_INODE_SIZE);
    // A power of two at least twice as large: chains stay short.
    const capacity = 2 ** Math.ceil(Math.log2(2 * Math.max(most, 16)));
    return new VerifiedObjects(new SharedArrayBuffer(4 * FIRST_SLOT + capacity * (4 + VERIFIED_KEY_SIZE)));
  }

  /**
   * Whether the object is good: known, or found out by `check` now.
   *
   * @param key 32 bytes that stand for a file and the digest it must have.
   */
  verify(key: Uint8Array, check: () => boolean): boolean {
    const slot = this.#find(key) ?? this.#add(key);
    if (slot === undefined) return check();
    for (;;) {
      const state = Atomics.compareExchange(this.#states, slot, UNKNOWN, BUSY);
      if (state === VERIFIED) return true;
      if (state === UNKNOWN) break;
      Atomics.wait(this.#states, slot, BUSY);
    }
    let isGood = false;
    try {
      isGood = check();
      return isGood;
    } finally {
      Atomics.store(this.#states, slot, isGood ? VERIFIED : UNKNOWN);
      Atomics.notify(this.#states, slot);
    }
  }

  #find(key: Uint8Array): number | undefined {
    const slot = this.#probe(key);
    return slot === undefined || Atomics.load(this.#states, slot) === EMPTY ? undefined : slot;
  }

  #add(key: Uint8Array): number | undefined {
    this.#lock();
    try {
      const slot = this.#probe(key);
      if (slot !== undefined && Atomics.load(this.#states, slot) === EMPTY) {
        this.#keys.set(key, VERIFIED_KEY_SIZE * (slot - FIRST_SLOT));
        // Only now can others see the key.
        Atomics.store(this.#states, slot, UNKNOWN);
      }
      return slot;
    } finally {
      this.#unlock();
    }
  }

  /** The slot of a key, or the empty one where it would be; undefined if the table is full. */
  #probe(key: Uint8Array): number | undefined {
    const view = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
    const first = view.readUInt32LE(0);
    for (let i = 0; i < this.#capacity; i++) {
      const index = (first + i) & (this.#capacity - 1);
      const slot = FIRST_SLOT + index;
      if (Atomics.load(this.#states, slot) === EMPTY) return slot;
      const start = VERIFIED_KEY_SIZE * index;
      if (view.compare(this.#keys, start, start + VERIFIED_KEY_SIZE) === 0) return slot;
    }
    return undefined;
  }

  #lock(): void {
    while (Atomics.compareExchange(this.#states, LOCK, 0, 1) !== 0) Atomics.wait(this.#states, LOCK, 1);
  }

  #unlock(): void {
    Atomics.store(this.#states, LOCK, 0);
    Atomics.notify(this.#states, LOCK, 1);
  }
}
