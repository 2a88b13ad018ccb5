/** The text of a boot loader entry (spec 50 §5), as the Boot Loader Specification has it. */

import { trimStart } from '../../bytes/text.js';
import { addArgument } from '../cmdline/arguments.js';

/** The lines of an entry, which stay as they are until something is changed in them. */
export class BootLoaderEntryFile {
  lines: string[];

  /** @param text lines end with LF; a CR belongs to its line. */
  constructor(text: string) {
    this.lines = text.split('\n');
    if (this.lines.at(-1) === '') this.lines.pop();
  }

  /** A copy that can be changed for itself. */
  clone(): BootLoaderEntryFile {
    const copy = new BootLoaderEntryFile('');
    copy.lines = [...this.lines];
    return copy;
  }

  /** The file: every line with its LF. */
  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }

  /** The value of the first line of a key, with white space at its end; undefined if there is none. */
  getValue(key: string): string | undefined {
    for (const line of this.lines) {
      const value = lineValue(line, key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** The values of all lines of a key, in order. */
  getValues(key: string): string[] {
    return this.lines.map((line) => lineValue(line, key)).filter((value) => value !== undefined);
  }

  /** Replaces the values of some keys by what `map` makes of them, line by line. */
  mapValues(keys: readonly string[], map: (value: string) => string): void {
    this.lines = this.lines.map((line) => {
      const key = keys.find((candidate) => lineValue(line, candidate) !== undefined);
      const value = key === undefined ? undefined : lineValue(line, key);
      return value === undefined ? line : line.slice(0, line.length - value.length) + map(value);
    });
  }

  /** Adds a kernel argument to the first `options` line, or replaces the one of the same key there: {@link addArgument}. */
  addCmdline(argument: string): void {
    const index = this.lines.findIndex((line) => lineValue(line, 'options') !== undefined);
    const line = this.lines[index];
    if (line === undefined) {
      this.lines.push(`options ${argument}`);
      return;
    }
    const value = lineValue(line, 'options') ?? '';
    this.lines[index] = line.slice(0, line.length - value.length) + addArgument(value, argument);
  }

  /** {@link addCmdline} for the argument that names the image, if there is one, and then for the others in order. */
  adjustCmdline(karg: string | undefined, extra: readonly string[]): void {
    if (karg !== undefined) this.addCmdline(karg);
    for (const argument of extra) this.addCmdline(argument);
  }
}

/** What follows the key and white space; undefined for a line of something else. The key stands at the very beginning. */
function lineValue(line: string, key: string): string | undefined {
  if (!line.startsWith(key) || !/^[ \t\n\f\r]/.test(line.charAt(key.length))) return undefined;
  return trimStart(line.slice(key.length));
}
