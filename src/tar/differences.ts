import { ENTRY_TYPE, isHeaderOnly } from './entry-type.js';
import { type Extensions, NO_EXTENSIONS } from './extensions.js';
import { type HeaderStart, readLinkName, type TarDifference } from './header.js';
import { hasHiddenNumber } from './numbers.js';

export const NO_DIFFERENCES: readonly TarDifference[] = [];

/** The numeric fields that the reference takes for 0 if they begin with a NUL. */
const NUMBERS = [
  [100, 108],
  [108, 116],
  [116, 124],
  [124, 136],
  [136, 148],
] as const;

/**
 * Where the reference makes another entry of the same bytes.
 *
 * @param type - after it was made that of a directory
 * @param size - as header or PAX record have it
 */
export function findDifferences(
  block: Buffer,
  start: HeaderStart,
  type: number,
  size: number | bigint,
  extensions: Extensions,
): readonly TarDifference[] {
  const hasHidden = hasHiddenNumbers(block);
  const hasNoData = size !== 0 && isHeaderOnly(type);
  const hasPrefix = block[345] !== 0 && hasOtherPrefix(block, start);
  // Of nearly every entry nothing is to be said.
  if (!hasHidden && !hasNoData && !hasPrefix && type === start.type && extensions === NO_EXTENSIONS)
    return NO_DIFFERENCES;
  const found: TarDifference[] = [];
  if (hasNoData) found.push('header-only-size');
  if (type !== start.type) found.push('old-directory');
  if (hasPrefix) found.push('prefix');
  if (hasHidden) found.push('leading-nul');
  if (leavesLink(block, type, extensions)) found.push('empty-linkpath');
  return [...found, ...extensions.differences];
}

function leavesLink(block: Buffer, type: number, { pax, longLink }: Extensions): boolean {
  if (pax?.hasEmptyLinkPath !== true || (type !== ENTRY_TYPE.LINK && type !== ENTRY_TYPE.SYMLINK)) return false;
  return (longLink ?? readLinkName(block)) !== '';
}

/** The reference wants version `00`, and 155 bytes. */
function hasOtherPrefix(block: Buffer, { format }: HeaderStart): boolean {
  if (format === 'old-go') return true;
  if (format !== 'ustar' && format !== 'star') return false;
  const isVersion0 = block[263] === 0x30 && block[264] === 0x30;
  return !isVersion0 || (format === 'star' && !block.subarray(345, 476).includes(0));
}

function hasHiddenNumbers(block: Buffer): boolean {
  return (
    (block[100] === 0 || block[108] === 0 || block[116] === 0 || block[124] === 0 || block[136] === 0) &&
    NUMBERS.some(([begin, end]) => hasHiddenNumber(block, begin, end))
  );
}

/** The block as the reference reads it. */
export function hideNumbers(block: Buffer): Buffer {
  if (!hasHiddenNumbers(block)) return block;
  const copy = Buffer.from(block);
  for (const [begin, end] of NUMBERS) {
    if (hasHiddenNumber(copy, begin, end)) copy.fill(0, begin, end);
  }
  return copy;
}
