/** Plain data: with it, another thread of the process takes from the same queue. */
export interface SharedQueueReference {
  readonly length: number;
  /** Two `Int32`: how many were taken, and how many are done. */
  readonly memory: SharedArrayBuffer;
}

const TAKEN = 0;
const DONE = 1;

/**
 * The numbers from 0 to a length, which threads take one after the other. They need no message for that, so that none waits
 * for a thread that is busy itself.
 */
export class SharedQueue {
  readonly reference: SharedQueueReference;
  readonly #counts: Int32Array;

  constructor(reference: SharedQueueReference) {
    this.reference = reference;
    this.#counts = new Int32Array(reference.memory);
  }

  static ofLength(length: number): SharedQueue {
    return new SharedQueue({ length, memory: new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT) });
  }

  /** The next number; undefined when there is none left. */
  take(): number | undefined {
    const number = Atomics.add(this.#counts, TAKEN, 1);
    return number < this.reference.length ? number : undefined;
  }

  /** How many are there to take. */
  get left(): number {
    return Math.max(0, this.reference.length - Atomics.load(this.#counts, TAKEN));
  }

  /** Says that what belongs to a number is done. */
  finishOne(): void {
    Atomics.add(this.#counts, DONE, 1);
  }

  /** How many are done, in all threads. */
  get done(): number {
    return Atomics.load(this.#counts, DONE);
  }

  /** Leaves nothing to take. */
  clear(): void {
    Atomics.store(this.#counts, TAKEN, this.reference.length);
  }
}
