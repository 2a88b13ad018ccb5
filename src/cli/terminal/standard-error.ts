import { printLines } from './terminal-text.js';

/** Writes lines, without their ends, to standard error: {@link Output} is for results. */
export function printToStderr(...lines: readonly string[]): void {
  process.stderr.write(printLines(lines));
}
