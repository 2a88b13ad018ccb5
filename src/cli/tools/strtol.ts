const LONG_MAX = 0x7fff_ffff_ffff_ffffn;

/** `strtol(3)` in base 10 over the whole text: too large numbers are the largest. Undefined if it is no number. */
export function strtol(text: string): bigint | undefined {
  const match = /^[\t-\r ]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = ''] = match;
  const significant = digits.replace(/^0+(?=.)/, '');
  // A number of millions of digits would take its time.
  const magnitude = significant.length > 19 ? LONG_MAX + 1n : BigInt(significant);
  const value = sign === '-' ? -magnitude : magnitude;
  if (value > LONG_MAX) return LONG_MAX;
  return value < -LONG_MAX - 1n ? -LONG_MAX - 1n : value;
}
