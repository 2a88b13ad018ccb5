import type { ProgressReporter } from '../progress.js';
import { escapeControls } from './terminal-text.js';

/** Something that does not stop the command, on standard error. */
export function warn(message: string): void {
  process.stderr.write(`${warningLine(message)}\n`);
}

/** The line, without its end, that says so. */
export function warningLine(message: string): string {
  return `warning: ${escapeControls(message)}`;
}

/** For commands that show no progress. */
export const warningReporter: ProgressReporter = {
  report: (event) => {
    if (event.type === 'message' && event.level === 'warning') warn(event.text);
  },
};
