const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Decimal units, as progress bars show them: `999 B`, `1.5 kB`, `12.3 MB`. */
export function formatDecimalBytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** `5s`, `2m05s`, `1h02m`; `-` where nobody knows. */
export function formatDuration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '-';
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  const two = (count: number): string => String(count).padStart(2, '0');
  return minutes < 60 ? `${minutes}m${two(whole % 60)}s` : `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
}

/** `sha256:0123456789ab` for a digest, other names as they are. */
export function shortLabel(id: string): string {
  const digest = /^(sha256|sha384|sha512):([0-9a-f]{12})[0-9a-f]+$/.exec(id);
  return digest === null ? id : `${digest[1]}:${digest[2]}`;
}
