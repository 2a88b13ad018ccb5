import type { ProgressReporter } from '../../progress.js';

/** What a task can use besides its input. */
export interface TaskContext extends ProgressReporter {
  readonly signal: AbortSignal;
}
