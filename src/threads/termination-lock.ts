/**
 * Keeps a thread from being ended while it is in code that cannot stand it:
 *
 * - an add-on that throws while its thread is being ended aborts the whole process (`FATAL ERROR: … napi_throw`); koffi
 *   does, while it is loaded and while it binds a function;
 * - modules that are being loaded have files open, which nobody would close.
 *
 * The thread holds this lock meanwhile, from its very beginning on. Whoever wants to end it takes the lock first and
 * never gives it back: from then on the thread waits where it would hold it again.
 */
export class TerminationLock {
  /** The memory to share with the other thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #state: Int32Array;
  /** How often this thread holds it; once, at the beginning. */
  #depth = 1;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#state = new Int32Array(buffer);
  }

  /** For the thread. */
  hold(): void {
    if (this.#depth === 0 && Atomics.compareExchange(this.#state, 0, FREE, HELD) !== FREE) this.#waitForTheEnd();
    this.#depth += 1;
  }

  /** For the thread: once for each {@link hold}, and once for the beginning. */
  release(): void {
    this.#depth -= 1;
    if (this.#depth > 0) return;
    Atomics.store(this.#state, 0, FREE);
    Atomics.notify(this.#state, 0);
  }

  /** Whether this thread holds it. */
  get isHeld(): boolean {
    return this.#depth > 0;
  }

  /** For the other side: whether the thread may be ended now. If so it stays so. */
  tryTake(): boolean {
    return Atomics.compareExchange(this.#state, 0, FREE, TAKEN) !== HELD;
  }

  /** As {@link tryTake}, after waiting for at most so many milliseconds. Blocks. */
  takeWithin(milliseconds: number): boolean {
    const deadline = performance.now() + milliseconds;
    while (!this.tryTake()) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.#state, 0, HELD, left);
    }
    return true;
  }

  #waitForTheEnd(): never {
    for (;;) Atomics.wait(this.#state, 0, TAKEN);
  }
}

/** What the memory holds when it is new. */
const HELD = 0;
const FREE = 1;
const TAKEN = 2;
