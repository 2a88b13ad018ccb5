import { type ByteString, byteStringToBuffer } from '../../../bytes/byte-string.js';
import { decodeUtf8 } from '../../../bytes/text.js';

/** Control, format, unassigned, private and separator characters but the space; and what joins the one before. */
const UNPRINTABLE = /["\\]|(?! )[\p{C}\p{Z}]|\p{Grapheme_Extend}/gu;

const SHORT: ReadonlyMap<string, string> = new Map([
  ['\0', '\\0'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['"', '\\"'],
  ['\\', '\\\\'],
]);

/** Like `{:?}` of a Rust string. */
export function quoteText(text: string): string {
  const escaped = text.replace(UNPRINTABLE, (character) => {
    return SHORT.get(character) ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
  return `"${escaped}"`;
}

/** Quoted text, or plain hex where the bytes are not UTF-8. */
export function quoteOrHex(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  return text === undefined ? Buffer.from(bytes).toString('hex') : quoteText(text);
}

export function quoteOrHexBytes(bytes: ByteString): string {
  return quoteOrHex(byteStringToBuffer(bytes));
}
