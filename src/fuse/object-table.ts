/** In front of the slots: the lock, and whether the kernel refused a backing file. */
const LOCK = 0;
const NO_PASSTHROUGH = 1;
const HEADER_WORDS = 2;

/** Words of a slot. */
const STATE = 0;
const OPENS = 1;
const BACKING_ID = 2;
const SLOT_WORDS = 3;

/** States of a slot. */
const EMPTY = 0;
const KNOWN = 1;
const VERIFIED = 2;

const OBJECT_KEY_SIZE = 32;

/** An inode with a digest and a path has at least this many bytes in an image. */
const LEAST_INODE_SIZE = 96;
/** Tables are at most half full, except for images whose inodes overlap: they get no long searches. */
const MAX_PROBES = 64;

/**
 * What all threads that serve a mount know of its objects: which were found to be what their digest says, and which the
 * kernel reads by itself at the moment. Failed checks are not remembered, so that a repaired object can be read again.
 *
 * A hash table with open addressing in shared memory, as large as the image can need; the pages that nobody touches
 * cost nothing. Objects are never removed, so one that found no room never gets any.
 */
export class ObjectTable {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #keys: Buffer;
  readonly #capacity: number;

  /** @param buffer of {@link ObjectTable.forImage}, perhaps in another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#capacity = (buffer.byteLength - 4 * HEADER_WORDS) / (4 * SLOT_WORDS + OBJECT_KEY_SIZE);
    this.#words = new Int32Array(buffer, 0, HEADER_WORDS + SLOT_WORDS * this.#capacity);
    this.#keys = Buffer.from(buffer, this.#words.byteLength);
  }

  /** @param imageSize in bytes. */
  static forImage(imageSize: number): ObjectTable {
    const most = Math.ceil(imageSize / LEAST_INODE_SIZE);
    const capacity = 2 ** Math.ceil(Math.log2(2 * Math.max(most, 16)));
    return new ObjectTable(new SharedArrayBuffer(4 * HEADER_WORDS + capacity * (4 * SLOT_WORDS + OBJECT_KEY_SIZE)));
  }

  /**
   * The slot of an object; undefined if there is no room for it.
   *
   * @param key 32 bytes that stand for a file and the digest it must have.
   */
  slotOf(key: Uint8Array): number | undefined {
    const view = Buffer.from(key.buffer, key.byteOffset, OBJECT_KEY_SIZE);
    // Keys are there before the state says so: most searches need no lock.
    const slot = this.#probe(view);
    if (slot === undefined || Atomics.load(this.#words, stateOf(slot)) !== EMPTY) return slot;
    return this.#locked(() => this.#add(view));
  }

  isVerified(slot: number): boolean {
    return Atomics.load(this.#words, stateOf(slot)) === VERIFIED;
  }

  setVerified(slot: number): void {
    Atomics.store(this.#words, stateOf(slot), VERIFIED);
  }

  /**
   * The backing id of one more open file of an object. All open files of an inode must have the same one, and inodes
   * with the same object share it.
   *
   * @param register is called if it is not open yet.
   * @returns undefined if the kernel refused that, now or ever: an inode must not be open in both ways, so from then on
   *   only those that are open already can be opened so.
   */
  retainBacking(slot: number, register: () => number): number | undefined {
    return this.#locked(() => {
      const word = HEADER_WORDS + SLOT_WORDS * slot;
      const opens = this.#words[word + OPENS] ?? 0;
      if (opens === 0) {
        if (this.#words[NO_PASSTHROUGH] !== 0) return undefined;
        try {
          this.#words[word + BACKING_ID] = register();
        } catch {
          // No privilege, or a file system that is stacked too deep.
          this.#words[NO_PASSTHROUGH] = 1;
          return undefined;
        }
      }
      this.#words[word + OPENS] = opens + 1;
      return this.#words[word + BACKING_ID];
    });
  }

  /** @param unregister is called with the id when the last open file is gone. */
  releaseBacking(slot: number, unregister: (id: number) => void): void {
    if (!(slot >= 0 && slot < this.#capacity)) return;
    this.#locked(() => {
      const word = HEADER_WORDS + SLOT_WORDS * slot;
      const opens = this.#words[word + OPENS] ?? 0;
      if (opens === 0) return;
      this.#words[word + OPENS] = opens - 1;
      if (opens === 1) unregister(this.#words[word + BACKING_ID] ?? 0);
    });
  }

  #add(key: Buffer): number | undefined {
    const slot = this.#probe(key);
    if (slot !== undefined && Atomics.load(this.#words, stateOf(slot)) === EMPTY) {
      this.#keys.set(key, OBJECT_KEY_SIZE * slot);
      // Only now can others see the key.
      Atomics.store(this.#words, stateOf(slot), KNOWN);
    }
    return slot;
  }

  /** The slot of a key, or the empty one where it would be. */
  #probe(key: Buffer): number | undefined {
    const first = key.readUInt32LE(0);
    for (let i = 0; i < MAX_PROBES; i++) {
      const slot = (first + i) & (this.#capacity - 1);
      if (Atomics.load(this.#words, stateOf(slot)) === EMPTY) return slot;
      const start = OBJECT_KEY_SIZE * slot;
      if (key.compare(this.#keys, start, start + OBJECT_KEY_SIZE) === 0) return slot;
    }
    return undefined;
  }

  /** Held for a few microseconds, so that also the main thread may wait. */
  #locked<T>(action: () => T): T {
    while (Atomics.compareExchange(this.#words, LOCK, 0, 1) !== 0) Atomics.wait(this.#words, LOCK, 1);
    try {
      return action();
    } finally {
      Atomics.store(this.#words, LOCK, 0);
      Atomics.notify(this.#words, LOCK, 1);
    }
  }
}

function stateOf(slot: number): number {
  return HEADER_WORDS + SLOT_WORDS * slot + STATE;
}
