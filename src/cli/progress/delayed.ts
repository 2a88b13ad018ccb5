import type { ProgressEvent, ProgressReporter } from '../../progress.js';
import { withInterrupt } from '../context/interrupt.js';
import { type Clock, monotonicClock, type ProgressDisplay, type ProgressStream } from './display.js';
import { createProgressDisplay } from './select.js';

/** Milliseconds after which a command is long enough to show what it does. */
const DELAY = 1000;

/** Progress of commands that are mostly done at once: nothing is shown of the first second. */
export class DelayedProgress implements ProgressDisplay {
  readonly #display: ProgressDisplay;
  readonly #clock: Clock;
  readonly #begun: number;
  /** What began, and how far it is. */
  readonly #held = new Map<string, ProgressEvent[]>();
  #isShown = false;

  constructor(stream: ProgressStream, clock: Clock = monotonicClock) {
    this.#display = createProgressDisplay('auto', stream);
    this.#clock = clock;
    this.#begun = clock();
  }

  report(event: ProgressEvent): void {
    if (!this.#isShown && this.#clock() - this.#begun >= DELAY) this.#show();
    if (this.#isShown || event.type === 'message') this.#display.report(event);
    else if ('id' in event) this.#hold(event);
  }

  finish(): void {
    if (this.#isShown) this.#display.finish();
  }

  #hold(event: ProgressEvent & { readonly id: string }): void {
    const [started] = this.#held.get(event.id) ?? [];
    if (event.type === 'done' || event.type === 'skipped') this.#held.delete(event.id);
    else this.#held.set(event.id, started === undefined ? [event] : [started, event]);
  }

  #show(): void {
    this.#isShown = true;
    for (const events of this.#held.values()) for (const event of events) this.#display.report(event);
  }
}

/** What work that may take long is given, as the library takes it. */
export interface Running {
  readonly progress: ProgressReporter;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command that mostly takes no second, with progress on standard error if it does, and lets the user stop it.
 *
 * @param consequence what stopping means for the work, for the message.
 */
export async function withDelayedProgress<T>(
  action: (running: Running) => Promise<T>,
  consequence?: string,
): Promise<T> {
  const progress = new DelayedProgress(process.stderr);
  try {
    return await withInterrupt((signal) => action({ progress, signal }), consequence);
  } finally {
    progress.finish();
  }
}
