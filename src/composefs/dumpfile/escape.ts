/** The escapes of dumpfiles (spec 30 §11.1, §12.3). */

import { type ByteString, byteStringToText, sliceBytes } from '../../bytes/byte-string.js';
import { DumpfileError } from './dumpfile-error.js';

const NEEDS_ESCAPE = /[^!-[\]-~]/g;
const UNPRINTABLE = /[^ -[\]-~]/g;
const NEEDS_XATTR_ESCAPE = /[^!-<>-[\]-~]/g;

const ESCAPES: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x5c) return '\\\\';
  if (byte === 0x0a) return '\\n';
  if (byte === 0x0d) return '\\r';
  if (byte === 0x09) return '\\t';
  return `\\x${byte.toString(16).padStart(2, '0')}`;
});

/** A field as it is written: empty is `-`, and a lone dash is escaped to be none. */
export function escapeField(bytes: ByteString): string {
  if (bytes === '') return '-';
  if (bytes === '-') return '\\x2d';
  return escapeBytes(bytes);
}

/** A path or a part of one: an absolute path is never taken for an absent field. */
export function escapeBytes(bytes: ByteString): string {
  return bytes.replace(NEEDS_ESCAPE, escapeChar);
}

/** {@link escapeBytes}, but a space stays. */
export function escapeUnprintable(bytes: ByteString): string {
  return bytes.replace(UNPRINTABLE, escapeChar);
}

/** An xattr name or value: `=` is escaped too, empty stays empty. */
export function escapeXattr(bytes: ByteString): string {
  return bytes.replace(NEEDS_XATTR_ESCAPE, escapeChar);
}

/** ` name=value` for each, in the given order. */
export function formatXattrs(xattrs: Iterable<readonly [ByteString, ByteString]>): string {
  let text = '';
  for (const [name, value] of xattrs) text += ` ${escapeXattr(name)}=${escapeXattr(value)}`;
  return text;
}

/** @throws DumpfileError for an escape that is cut off or unknown. */
export function unescapeBytes(field: ByteString): ByteString {
  return field.includes('\\') ? unescapeWith(field, RUST_MESSAGES) : field;
}

/** {@link unescapeBytes} with the messages of the C tools. */
export function unescapeBytesC(field: ByteString): ByteString {
  return field.includes('\\') ? unescapeWith(field, C_MESSAGES) : field;
}

interface EscapeMessages {
  readonly cutOff: string;
  readonly hexCutOff: string;
  readonly invalidHex: (digits: string) => string;
  readonly unknown: (character: string) => string;
}

const RUST_MESSAGES: EscapeMessages = {
  cutOff: 'Unterminated escape',
  hexCutOff: 'Unterminated hex escape',
  invalidHex: (digits) => `Invalid hex escape ${digits}`,
  unknown: (character) => `Invalid escape ${character}`,
};

const C_MESSAGES: EscapeMessages = {
  cutOff: 'No character after escape',
  hexCutOff: 'No hex characters after hex escape',
  invalidHex: () => 'Invalid hex characters after hex escape',
  unknown: (character) => `Unsupported escape type ${character}`,
};

function unescapeWith(field: ByteString, messages: EscapeMessages): ByteString {
  const parts: string[] = [];
  let start = 0;
  for (let backslash = field.indexOf('\\'); backslash >= 0; backslash = field.indexOf('\\', start)) {
    parts.push(field.slice(start, backslash));
    start = backslash + 2;
    const kind = field[backslash + 1];
    if (kind === undefined) throw new DumpfileError(messages.cutOff);
    if (kind === 'x') {
      start += 2;
      const digits = field.slice(backslash + 2, start);
      if (digits.length < 2) throw new DumpfileError(messages.hexCutOff);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw new DumpfileError(messages.invalidHex(digits));
      parts.push(String.fromCharCode(Number.parseInt(digits, 16)));
    } else {
      const plain = SIMPLE_ESCAPES.get(kind);
      if (plain === undefined) throw new DumpfileError(messages.unknown(characterAt(field, backslash + 1)));
      parts.push(plain);
    }
  }
  parts.push(field.slice(start));
  return parts.join('') as ByteString;
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** For people: the whole UTF-8 character that starts there. */
function characterAt(field: ByteString, index: number): string {
  const [character = ''] = byteStringToText(sliceBytes(field, index, index + 4));
  return character;
}

function escapeChar(char: string): string {
  return ESCAPES[char.charCodeAt(0)] ?? '';
}
