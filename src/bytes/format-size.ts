const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/**
 * A number of bytes for people: `800 B`, `1.43 MiB` (spec 40 §14.2). Two decimals of the exact value, ties to even, so
 * that 1152 is `1.12 KiB`.
 */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const exponent = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length);
  const unit = 1n << BigInt(10 * exponent);
  const scaled = BigInt(bytes) * 100n;
  const twiceRest = 2n * (scaled % unit);
  let hundredths = scaled / unit;
  if (twiceRest > unit || (twiceRest === unit && hundredths % 2n === 1n)) hundredths++;
  const decimals = String(hundredths % 100n).padStart(2, '0');
  return `${hundredths / 100n}.${decimals} ${UNITS[exponent - 1]}`;
}
