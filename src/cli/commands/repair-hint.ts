import type { FsckResult } from '../../composefs/index.js';

/** What a pull stores anew. */
const PULLED: ReadonlySet<string> = new Set([
  'object-digest-mismatch',
  'missing-object-ref',
  'image-missing-object',
  'broken-symlink',
]);

/** How what a check has found can be mended, where that is in the hands of the user. */
export function repairHint({ errors }: FsckResult): { hint?: string } {
  if (!errors.some(({ type }) => PULLED.has(type))) return {};
  const damaged = errors.some(({ type }) => type === 'object-digest-mismatch');
  return {
    hint: `${damaged ? 'remove the damaged objects, then ' : ''}pull the images again: it stores what is missing`,
  };
}
