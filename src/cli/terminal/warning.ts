import type { ProgressReporter } from '../../progress.js';
import { printLines } from './terminal-text.js';

/** Something that does not stop the command, on standard error. */
export function warn(message: string): void {
  printToStderr(warningLine(message));
}

/** The line, without its end, that says so. */
export function warningLine(message: string): string {
  return `warning: ${message}`;
}

/** For commands that show no progress. */
export const warningReporter: ProgressReporter = {
  report: (event) => {
    if (event.type === 'message' && event.level === 'warning') warn(event.text);
  },
};

/** Writes lines, without their ends, to standard error: {@link Output} is for results. */
export function printToStderr(...lines: readonly string[]): void {
  process.stderr.write(printLines(lines));
}
