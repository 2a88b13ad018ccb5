/** The text files of an SELinux policy (spec 50 §3.2, §3.4, §3.5). */

import { isUtf8 } from 'node:buffer';
import { trim, UNICODE_SPACE } from '../../bytes/text.js';
import { ComposefsError } from '../../errors.js';

/** A line of a `file_contexts` file. */
export interface ContextSpec {
  /** With the file type that it is for, as it is to match a path and the char of its type. */
  readonly pattern: string;
  /** `<<none>>`: what matches gets no label. */
  readonly context: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

const TYPE_CODES = 'bcdpls-';

const FIELD = new RegExp(`[^${UNICODE_SPACE}]+`, 'g');

/** The name of the policy that `/etc/selinux/config` says, if any. Whether SELinux is disabled does not matter. */
export function parseSelinuxConfig(bytes: Buffer): string | undefined {
  for (const { text } of textLines(bytes)) {
    const equals = text.indexOf('=');
    // A comment has its `#` in the key.
    if (equals >= 0 && /^selinuxtype$/i.test(trim(text.slice(0, equals)))) return trim(text.slice(equals + 1));
  }
  return undefined;
}

/** @throws ComposefsError `INVALID_SELINUX_POLICY`, with the line's number from 0 as the reference counts. */
export function* parseContextSpecs(bytes: Buffer, file: string): Generator<ContextSpec> {
  for (const { text, index } of textLines(bytes)) {
    const [regex, second, ...rest] = firstFields(text);
    if (regex === undefined || regex.startsWith('#')) continue;
    if (second === undefined) throw invalidLine(index, 'missing separator after regex');
    let context: string | undefined = second;
    let type = '.';
    if (second.startsWith('-')) {
      type = second.slice(1);
      if (type.length !== 1 || !TYPE_CODES.includes(type)) throw invalidLine(index, `invalid type code -${type}`);
      context = rest.shift();
      if (context === undefined) throw invalidLine(index, 'missing context field');
    }
    if (rest.length > 0) throw invalidLine(index, 'trailing data');
    yield { pattern: `^(${regex})${type}$`, context, file, line: index + 1 };
  }
}

/** The aliases of a `file_contexts.subs` file, each with the path that it stands for. Errors as for specs. */
export function* parseSubstitutions(bytes: Buffer): Generator<readonly [alias: string, original: string]> {
  for (const { text, index } of textLines(bytes)) {
    const [alias, original, ...rest] = firstFields(text);
    if (alias === undefined || alias.startsWith('#')) continue;
    if (original === undefined) throw invalidLine(index, 'missing original path');
    if (rest.length > 0) throw invalidLine(index, 'trailing data');
    yield [alias, original];
  }
}

/** As many as a line may have, and one more. */
function firstFields(text: string): string[] {
  const fields: string[] = [];
  for (const [field] of text.matchAll(FIELD)) {
    fields.push(field);
    if (fields.length === 4) break;
  }
  return fields;
}

/** Lines of UTF-8, but for empty ones; what is behind the last line feed is a line, too. CR is white space in all of them. */
function* textLines(bytes: Buffer): Generator<{ text: string; index: number }> {
  const isValid = isUtf8(bytes);
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const lineFeed = bytes.indexOf(0x0a, start);
    const end = lineFeed < 0 ? bytes.length : lineFeed;
    const line = bytes.subarray(start, end);
    start = end + 1;
    if (line.length === 0) continue;
    if (!isValid && !isUtf8(line)) throw invalidLine(index, 'not UTF-8');
    yield { text: line.toString('utf8'), index };
  }
}

function invalidLine(index: number, problem: string): ComposefsError {
  return new ComposefsError('INVALID_SELINUX_POLICY', `${index}: ${problem}`);
}
