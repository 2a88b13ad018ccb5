import type { ProgressReporter } from '../../progress.js';
import { withInterrupt } from '../context/interrupt.js';
import { openDescriptor } from './descriptor.js';
import type { ProgressDisplay } from './display.js';
import { JsonLinesProgress } from './json-lines.js';
import { combineDisplays, createProgressDisplay, type ProgressMode } from './select.js';

export interface ProgressOptions {
  readonly progress?: ProgressMode;
  readonly progressFd?: number;
  readonly quiet?: boolean;
}

/**
 * Runs what takes long, shows its progress and lets the user stop it.
 *
 * @param consequence What stopping means for the work, for the message.
 */
export async function withProgress<T>(
  options: ProgressOptions,
  action: (running: { readonly progress: ProgressReporter; readonly signal: AbortSignal }) => Promise<T>,
  consequence?: string,
): Promise<T> {
  const display = createDisplay(options);
  try {
    return await withInterrupt(async (signal) => {
      const onAbort = (): void => display.report({ type: 'message', text: 'Stopping; Ctrl-C again stops at once' });
      signal.addEventListener('abort', onAbort, { once: true });
      return await action({ progress: display, signal });
    }, consequence);
  } finally {
    display.finish();
  }
}

/** A program that reads the descriptor shows progress itself; standard error is then for what else is to be said. */
function createDisplay({ progress, progressFd, quiet }: ProgressOptions): ProgressDisplay {
  const fallback = progressFd === undefined ? 'auto' : 'none';
  const display = createProgressDisplay(quiet ? 'none' : (progress ?? fallback), process.stderr);
  if (progressFd === undefined) return display;
  return combineDisplays([display, new JsonLinesProgress(openDescriptor(progressFd))]);
}
