import { CfsctlOption } from './options.js';
import { UsageError } from './usage-error.js';

const SECOND = 1000;
/** In milliseconds. */
const UNITS: Readonly<Record<string, number>> = {
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: 24 * 3600 * SECOND,
  w: 7 * 24 * 3600 * SECOND,
};

/** An option with an age (`90s`, `30m`, `12h`, `7d`, `1w2d`), whose value is in milliseconds. */
export function age(flags: string, description: string): CfsctlOption {
  const option = new CfsctlOption(flags, description);
  option.argParser((text) => {
    const parsed = parseAge(text);
    if (parsed !== undefined) return parsed;
    throw new UsageError(`invalid value '${text}' for '${option.display}': not an age as 90s, 30m, 12h, 7d, 1w2d`);
  });
  return option;
}

/** In milliseconds; undefined if the text is no age, or one of more than 10,000 years. */
export function parseAge(text: string): number | undefined {
  if (!/^(?:\d{1,12}[smhdw])+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+)([smhdw])/g)) total += Number(count) * (UNITS[unit] ?? 0);
  return total <= 10_000 * 366 * 24 * 3600 * SECOND ? total : undefined;
}
