/** `os-release(5)`: which system a kernel belongs to (spec 50 §8). */

import { textLines, trim } from '../../bytes/text.js';

/** The content of an os-release file (os-release(5)). */
export class OsReleaseInfo {
  /** Values as they stand in the file, with their quotes. */
  readonly #values: ReadonlyMap<string, string>;

  constructor(text: string) {
    const values = new Map<string, string>();
    for (const line of textLines(text)) {
      const equals = line.indexOf('=');
      if (equals < 0 || trim(line).startsWith('#')) continue;
      values.set(line.slice(0, equals), line.slice(equals + 1));
    }
    this.#values = values;
  }

  /** The value of the first of these keys that is there and well formed, without quotes. */
  getValue(keys: readonly string[]): string | undefined {
    for (const key of keys) {
      const value = this.#values.get(key);
      const plain = value === undefined ? undefined : dequote(value);
      if (plain !== undefined) return plain;
    }
    return undefined;
  }

  /** The name for people: `PRETTY_NAME`, else `NAME`, else `ID`. */
  getPrettyName(): string | undefined {
    return this.getValue(['PRETTY_NAME', 'NAME', 'ID']);
  }

  /** The version: `VERSION_ID`, else `VERSION`. */
  getVersion(): string | undefined {
    return this.getValue(['VERSION_ID', 'VERSION']);
  }

  /** What a boot menu shows: the name, and the version if there is one. */
  getBootLabel(): string | undefined {
    const name = this.getPrettyName();
    const version = this.getVersion();
    return name === undefined || version === undefined ? name : `${name} ${version}`;
  }
}

/**
 * What a shell makes of a value, more or less: quoted and plain parts in a row, backslashes only inside of double
 * quotes. Undefined if a quote is not closed.
 */
export function dequote(value: string): string | undefined {
  const text = trim(value);
  let result = '';
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === "'") {
      const end = text.indexOf("'", i + 1);
      if (end < 0) return undefined;
      result += text.slice(i + 1, end);
      i = end;
    } else if (character === '"') {
      for (i++; text.charAt(i) !== '"'; i++) {
        if (text.charAt(i) === '\\') i++;
        if (i >= text.length) return undefined;
        result += text.charAt(i);
      }
    } else {
      result += character;
    }
  }
  return result;
}
