import { setImmediate as nextTurn } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';

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

/** Long work that can be interrupted at each `yield`. */
export type Steps<Result> = Generator<void, Result, void>;

/** Does the work at once, and blocks the thread. */
export function runSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Does the work in turns.
 *
 * @throws what the work throws; the reason of the signal, after the work has cleaned up.
 */
export async function runInTurns<Result>(steps: Steps<Result>, signal?: AbortSignal): Promise<Result> {
  const turns = new Turns(signal);
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (turns.isOver()) await turns.next();
    }
  } catch (error) {
    steps.return(undefined as never);
    throw error;
  }
}

/** Does the work of a task: in turns on the main thread, which has others to care for; at once in a thread of a pool. */
export async function runTask<Result>(steps: Steps<Result>, signal: AbortSignal): Promise<Result> {
  return isMainThread ? await runInTurns(steps, signal) : runSteps(steps);
}
