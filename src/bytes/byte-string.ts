/**
 * Byte strings: file names, xattr names and values, link targets.
 *
 * A byte string is a JavaScript string with one char (U+0000 to U+00FF) per byte. It compares bytewise with `<`,
 * works as a Map key and converts to and from bytes without loss; the brand keeps it apart from text.
 */

declare const brand: unique symbol;

/**
 * Bytes as a string with one char (U+0000 to U+00FF) a byte: names of files, xattrs and their values, targets of links. It
 * compares by bytes, works as a key, and converts without loss; the brand keeps it apart from text.
 */
export type ByteString = string & { readonly [brand]: 'ByteString' };

/** The byte string of some bytes. */
export function byteStringFrom(bytes: Uint8Array): ByteString {
  return asBuffer(bytes).toString('latin1') as ByteString;
}

/** The same bytes, not a copy of them, with the methods of a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The byte string of a text's UTF-8 bytes. For an ASCII literal this is the literal itself. */
export function byteStringFromText(text: string): ByteString {
  return isAscii(text) ? (text as ByteString) : byteStringFrom(Buffer.from(text, 'utf8'));
}

/** The bytes, as a copy. */
export function byteStringToBuffer(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1');
}

/** For people: decoded as UTF-8, with U+FFFD where the bytes are not UTF-8. */
export function byteStringToText(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : byteStringToBuffer(bytes).toString('utf8');
}

/** A part of a byte string, still a byte string. */
export function sliceBytes(bytes: ByteString, start: number, end?: number): ByteString {
  return bytes.slice(start, end) as ByteString;
}

export function concatBytes(...parts: readonly ByteString[]): ByteString {
  return parts.join('') as ByteString;
}

export function splitBytes(bytes: ByteString, separator: string): ByteString[] {
  return bytes.split(separator) as ByteString[];
}

/** Unsigned lexicographic order, a prefix first. */
export function compareBytes(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Double quotes with backslash escapes, for error messages. */
export function quoteBytes(bytes: ByteString): string {
  return JSON.stringify(byteStringToText(bytes));
}

/** Whether bytes and text are the same. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return false;
  }
  return true;
}

/** Below this length a loop is faster than the call out of JavaScript. */
const LOOP_MAX = 24;

/** Writes a byte string, or ASCII text; the target is large enough. */
export function writeBytes(target: Buffer, offset: number, bytes: string): void {
  if (bytes.length > LOOP_MAX) {
    target.write(bytes, offset, 'latin1');
    return;
  }
  for (let i = 0; i < bytes.length; i++) target[offset + i] = bytes.charCodeAt(i);
}
