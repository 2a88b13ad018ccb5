/**
 * Sets of bytes as 256-bit integers: bit b is set if byte b is a member. So `|`, `&` and `^` are the set operations, and
 * equal sets are equal keys of a Map.
 */
export type ByteSet = bigint;

export const NO_BYTES: ByteSet = 0n;
export const ALL_BYTES: ByteSet = (1n << 256n) - 1n;

/** The bytes from `low` to `high`, both included. */
export function byteRange(low: number, high: number): ByteSet {
  return ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

export function singleByte(byte: number): ByteSet {
  return 1n << BigInt(byte);
}

/** The bytes of an ASCII text. */
export function bytesOf(ascii: string): ByteSet {
  let set = NO_BYTES;
  for (let i = 0; i < ascii.length; i++) set |= singleByte(ascii.charCodeAt(i));
  return set;
}

export function complement(set: ByteSet): ByteSet {
  return ALL_BYTES ^ set;
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return ((set >> BigInt(byte)) & 1n) === 1n;
}

/** The set as its longest ranges, in order. */
export function* rangesOf(set: ByteSet): Generator<readonly [low: number, high: number]> {
  for (let low = 0; low < 256; low++) {
    if (!hasByte(set, low)) continue;
    let high = low;
    while (high < 255 && hasByte(set, high + 1)) high += 1;
    yield [low, high];
    low = high;
  }
}

const LOWER = byteRange(0x61, 0x7a);
const UPPER = byteRange(0x41, 0x5a);

/** With each ASCII letter the other case of it. */
export function foldCase(set: ByteSet): ByteSet {
  return set | ((set & UPPER) << 32n) | ((set & LOWER) >> 32n);
}

const DIGIT = byteRange(0x30, 0x39);
const WORD = LOWER | UPPER | DIGIT | bytesOf('_');
const SPACE = byteRange(0x09, 0x0d) | bytesOf(' ');

/** `\d`, `\s` and `\w`. */
export const PERL_CLASSES: Readonly<Record<'d' | 's' | 'w', ByteSet>> = { d: DIGIT, s: SPACE, w: WORD };

/** `[:alpha:]` and its like, in ASCII. */
export const POSIX_CLASSES: ReadonlyMap<string, ByteSet> = new Map([
  ['alnum', LOWER | UPPER | DIGIT],
  ['alpha', LOWER | UPPER],
  ['ascii', byteRange(0x00, 0x7f)],
  ['blank', bytesOf('\t ')],
  ['cntrl', byteRange(0x00, 0x1f) | singleByte(0x7f)],
  ['digit', DIGIT],
  ['graph', byteRange(0x21, 0x7e)],
  ['lower', LOWER],
  ['print', byteRange(0x20, 0x7e)],
  ['punct', byteRange(0x21, 0x7e) & complement(LOWER | UPPER | DIGIT)],
  ['space', SPACE],
  ['upper', UPPER],
  ['word', WORD],
  ['xdigit', DIGIT | byteRange(0x41, 0x46) | byteRange(0x61, 0x66)],
]);
