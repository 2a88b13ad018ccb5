import { eastAsianWidth } from 'get-east-asian-width';
import { printable } from '../../bytes/printable.js';

/** Text that goes to a terminal: how wide it is, and nothing in it that commands the terminal. */

/** Takes no room of its own: combining marks, joiners, variation selectors, other format characters. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** Columns that the text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (character >= ' ' && character <= '~') width += 1;
    else if (!ZERO_WIDTH.test(character)) width += eastAsianWidth(character.codePointAt(0) ?? 0);
  }
  return width;
}

/** Spaces at the end up to `width` columns. */
export function padDisplay(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** At most `width` columns; what is cut is shown as `…`. */
export function truncateDisplay(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let result = '';
  let used = 0;
  for (const character of text) {
    const next = displayWidth(character);
    if (used + next > width - 1) break;
    result += character;
    used += next;
  }
  return width > 0 ? `${result}…` : '';
}

/** Text of such lines, each ended: the one way in which text gets to a stream. */
export function printLines(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}
