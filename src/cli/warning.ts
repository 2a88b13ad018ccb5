import { escapeControls } from './terminal-text.js';

/** Something that does not stop the command, on standard error. */
export function warn(message: string): void {
  process.stderr.write(`warning: ${escapeControls(message)}\n`);
}
