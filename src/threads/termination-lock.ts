/**
 * Keeps a thread from being ended while it is in code that cannot stand it.
 *
 * An add-on that throws while its thread is being ended aborts the whole process (`FATAL ERROR: … napi_throw`): koffi
 * does, while it is loaded and while it binds a function. The thread holds this lock meanwhile, and whoever wants to
 * end the thread takes the lock first and never gives it back: from then on the thread waits where it would begin.
 */
export class TerminationLock {
  /** The memory to share with the other thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #state: Int32Array;
  /** How many calls of {@link run} are under way in this thread. */
  #depth = 0;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#state = new Int32Array(buffer);
  }

  /** For the thread: does something during which it must not be ended. Calls may be nested. */
  run<T>(action: () => T): T {
    if (this.#depth === 0 && Atomics.compareExchange(this.#state, 0, FREE, HELD) !== FREE) this.#waitForTheEnd();
    this.#depth += 1;
    try {
      return action();
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) {
        Atomics.store(this.#state, 0, FREE);
        Atomics.notify(this.#state, 0);
      }
    }
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

const FREE = 0;
const HELD = 1;
const TAKEN = 2;
