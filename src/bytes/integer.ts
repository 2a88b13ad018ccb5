import { ComposefsError } from '../errors.js';

export const UINT32_MAX = 0xffffffff;
export const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * A 64-bit value as a number.
 *
 * @throws ComposefsError `INTEGER_TOO_LARGE` if it is not exactly representable (beyond ±(2^53 − 1)).
 */
export function safeInteger(value: bigint, what: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new ComposefsError('INTEGER_TOO_LARGE', `${what} ${value} is beyond the supported range of 2^53 - 1`);
  }
  return number;
}

/** `value` rounded up to a multiple of `unit`. Works beyond 32 bits. */
export function roundUp(value: number, unit: number): number {
  const rest = value % unit;
  return rest === 0 ? value : value + unit - rest;
}
