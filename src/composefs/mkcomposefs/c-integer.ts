/** The numbers of dumpfiles as the C tools read them (spec 30 §13.2). */

import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import { UINT64_MAX } from '../../bytes/integer.js';
import { DumpfileError } from '../dumpfile/dumpfile-error.js';

/** A 64-bit number: a bigint where a number might not be exact. */
export type U64 = number | bigint;

/**
 * `strtoull` over the whole field, which has no spaces: other white space and a sign are fine, a minus wraps, what is
 * too large is the maximum.
 *
 * @throws DumpfileError with the message of mkcomposefs.
 */
export function parseU64(field: ByteString, base: 8 | 10): U64 {
  return parseShort(field, base) ?? parseLong(field, base);
}

/** {@link parseU64} of decimal digits, but 0 for what is none if `zeroIfInvalid`. */
export function parseLenientU64(field: ByteString, zeroIfInvalid: boolean): U64 {
  return zeroIfInvalid && !isInteger(field, 10) ? 0 : parseU64(field, 10);
}

/** Undefined for anything but a few digits, which nearly all numbers are. */
function parseShort(field: ByteString, base: 8 | 10): number | undefined {
  if (field === '' || field.length > 15) return undefined;
  let value = 0;
  for (let i = 0; i < field.length; i++) {
    const digit = field.charCodeAt(i) - 0x30;
    if (digit < 0 || digit >= base) return undefined;
    value = value * base + digit;
  }
  return value;
}

function parseLong(field: ByteString, base: 8 | 10): U64 {
  if (!isInteger(field, base)) throw new DumpfileError(`Invalid integer ${byteStringToText(field)}`);
  const text = field.trimStart();
  const isNegative = text.startsWith('-');
  const digits = isNegative || text.startsWith('+') ? text.slice(1) : text;
  const value = largeU64(digits, base);
  if (value === undefined) return UINT64_MAX;
  return isNegative ? BigInt.asUintN(64, -value) : value;
}

function isInteger(field: ByteString, base: 8 | 10): boolean {
  return base === 8 ? /^[\t-\r]*[+-]?[0-7]+$/.test(field) : /^[\t-\r]*[+-]?[0-9]+$/.test(field);
}

function largeU64(digits: string, base: 8 | 10): bigint | undefined {
  const significant = digits.replace(/^0+/, '') || '0';
  if (significant.length > 22) return undefined;
  const value = BigInt(base === 8 ? `0o${significant}` : significant);
  return value > UINT64_MAX ? undefined : value;
}

/** The low 32 bits, as a C cast takes them. */
export function low32(value: U64): number {
  return typeof value === 'number' ? value % 0x1_0000_0000 : Number(BigInt.asUintN(32, value));
}
