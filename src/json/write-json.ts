import type { JsonValue } from './json.js';

/**
 * Compact JSON of what {@link parseJson} returned: keys in their order, integers exactly as they were. `JSON.stringify`
 * takes no bigint.
 */
export function writeJson(value: JsonValue): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${writeJson(member)}`);
  return `{${members.join(',')}}`;
}
