/** Text as Rust's standard library sees it, where that differs from JavaScript's: white space and lines. */

/** Unicode's `White_Space`. JavaScript's `\s` lacks U+0085 and has U+FEFF. */
export const UNICODE_SPACE = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const LEADING = new RegExp(`^[${UNICODE_SPACE}]+`);
const SPACE = new RegExp(`[${UNICODE_SPACE}]`);

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of some bytes; undefined if they are not UTF-8. A byte order mark is a character like others. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Without Unicode white space at its beginning. */
export function trimStart(text: string): string {
  return text.replace(LEADING, '');
}

/** Without Unicode white space at both ends. */
export function trim(text: string): string {
  let end = text.length;
  // From the end by hand: a regular expression would try at every run of spaces in the text.
  while (end > 0 && SPACE.test(text.charAt(end - 1))) end -= 1;
  return trimStart(text.slice(0, end));
}

/** The lines of a text: ended by LF or CR LF, the last one perhaps by nothing. */
export function textLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}
