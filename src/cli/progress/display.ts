import type { ProgressReporter } from '../../progress.js';

/** Where progress is shown: standard error, or a stand-in for it in tests. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

/** Milliseconds; replaced in tests. */
export type Clock = () => number;

export const monotonicClock: Clock = () => performance.now();

/** A reporter that draws; `finish` leaves the terminal clean. */
export interface ProgressDisplay extends ProgressReporter {
  finish(): void;
}
