import { printableJson } from '../../bytes/printable.js';

/** JSON as every `--json` option prints it: two spaces, and a newline at the end (spec 70 A6). */
export function renderJson(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}

/** JSON on one line. */
export function renderJsonLine(value: unknown): string {
  return `${printableJson(JSON.stringify(value))}\n`;
}
