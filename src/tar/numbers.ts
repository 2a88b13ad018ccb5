import { UINT64_MAX } from '../bytes/integer.js';
import { HeaderFailure } from './tar-error.js';

/**
 * Numbers in tar headers (spec 30 §5.3).
 *
 * The functions take the place of the field in a block; they throw {@link InvalidNumberError}, which the caller gives a
 * context.
 */

/** Thrown by {@link readOctal} and {@link readNumeric}. */
class InvalidNumberError extends HeaderFailure {
  constructor(what: string, field: Uint8Array) {
    super(`${what}: [${field.join(', ')}]`);
  }
}

const NUL = 0;
const DIGIT_0 = 0x30;
const DIGIT_7 = 0x37;
const PLUS = 0x2b;

/**
 * An octal field: up to the first NUL, with white space at both ends; nothing is 0. NULs before the first digit do not
 * count, as in GNU tar and Go: some writers leave one where the field before ran over.
 *
 * The fields of a header have at most 12 bytes, so the value is below 2^36.
 */
export function readOctal(block: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end && isSpace(block[position])) position++;
  if (position === end) return 0;
  if (block[position] === NUL) {
    position = skipToDigit(block, position, end);
    if (position === end) return 0;
  }
  if (block[position] === PLUS) position++;
  const firstDigit = position;
  let value = 0;
  for (; position < end; position++) {
    const byte = block[position] ?? NUL;
    if (byte < DIGIT_0 || byte > DIGIT_7) break;
    value = value * 8 + (byte - DIGIT_0);
  }
  const digits = position - firstDigit;
  while (position < end && isSpace(block[position])) position++;
  if (digits === 0 || (position < end && block[position] !== NUL)) {
    throw new InvalidNumberError('invalid octal field', block.subarray(start, end));
  }
  return value;
}

/** Where the digits after leading NULs and blanks begin; `end` if something else is there, which does not count. */
function skipToDigit(block: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end && (block[position] === NUL || block[position] === 0x20)) position++;
  return isOctalDigit(block[position]) && position < end ? position : end;
}

/** Whether a field begins with a NUL and has a number all the same, which other readers take for 0. */
export function hasHiddenNumber(block: Uint8Array, start: number, end: number): boolean {
  return block[start] === NUL && skipToDigit(block, start, end) < end;
}

/**
 * A numeric field: octal, or base-256 where the first byte has its top bit set: a big-endian two's complement number,
 * whose sign is the next bit.
 *
 * The result is a bigint only beyond ±(2^53 - 1), and always fits 64 bits.
 */
export function readNumeric(block: Uint8Array, start: number, end: number): number | bigint {
  return ((block[start] ?? 0) & 0x80) === 0 ? readOctal(block, start, end) : readBase256(block, start, end);
}

function readBase256(block: Uint8Array, start: number, end: number): number | bigint {
  let value = BigInt.asIntN(7, BigInt((block[start] ?? 0) & 0x7f));
  for (let position = start + 1; position < end; position++) value = (value << 8n) | BigInt(block[position] ?? 0);
  if (BigInt.asIntN(64, value) !== value) {
    throw new InvalidNumberError('number beyond 64 bits', block.subarray(start, end));
  }
  return narrow(value);
}

/** A number where that is exact. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Decimal digits with an optional `+`, up to 2^64 - 1; undefined for any other text. */
export function parseDecimal(text: string): number | bigint | undefined {
  // Leading zeros are fine at any number, but a huge run of digits must not become a huge bigint.
  const match = /^\+?0*([0-9]{0,20})$/.exec(text);
  if (match === null || text === '' || text === '+') return undefined;
  const digits = match[1] ?? '';
  if (digits.length < 16) return Number(digits);
  const value = BigInt(digits);
  return value > UINT64_MAX ? undefined : narrow(value);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

function isOctalDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_7;
}
