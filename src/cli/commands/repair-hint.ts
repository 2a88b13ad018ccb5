import type { FsckResult } from '../../composefs/index.js';
import { ImageError } from '../../error-classes.js';
import { ContextError } from '../../errors.js';

/** What a pull stores anew. */
const PULLED: ReadonlySet<string> = new Set([
  'object-digest-mismatch',
  'missing-object-ref',
  'image-missing-object',
  'broken-symlink',
]);

/** For `catch`: what an image lacks that cannot be made a boot image, `boot check` tells all at once. */
export function notBootable(image: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ImageError)) throw error;
    throw new ContextError('The image cannot be booted', error, `\`cfsctl boot check ${image}\` says what it lacks`);
  };
}

/** How what a check has found can be mended, where that is in the hands of the user. */
export function repairHint({ errors }: FsckResult): { hint?: string } {
  if (!errors.some(({ type }) => PULLED.has(type))) return {};
  const damaged = errors.some(({ type }) => type === 'object-digest-mismatch');
  return {
    hint: `${damaged ? 'remove the damaged objects, then ' : ''}pull the images again: it stores what is missing`,
  };
}
