import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long a turn is, in milliseconds. */
const TURN_MS = 5;

/**
 * Long work on the calling thread in short turns, between which others get to work: for work that is too small or too
 * much bound to objects in memory to be sent to a thread of its own.
 */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #end: number;

  constructor(signal?: AbortSignal) {
    signal?.throwIfAborted();
    this.#signal = signal;
    this.#end = performance.now() + TURN_MS;
  }

  /** Whether it is time for {@link Turns.next}. */
  isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** @throws the reason of the signal, once that is aborted. */
  async next(): Promise<void> {
    await nextTurn();
    this.#signal?.throwIfAborted();
    this.#end = performance.now() + TURN_MS;
  }
}
