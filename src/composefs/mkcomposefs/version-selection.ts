import { ComposefsError } from '../../errors.js';
import type { FormatVersion } from '../erofs/format/constants.js';
import { Directory, isWhiteout } from '../tree/inode.js';

export interface VersionRange {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/**
 * The version that the C tools write (spec 20 §8): the lowest allowed, but 1 if the tree has a whiteout and 1 is
 * allowed. Without limits 0 and 1 are; one limit alone makes the other 0.
 *
 * @throws ComposefsError `EINVAL` if a limit is above 1.
 */
export function selectEpoch1Version(root: Directory, { min, max }: VersionRange = {}): FormatVersion {
  const isUnlimited = min === undefined && max === undefined;
  const low = min ?? 0;
  const high = Math.max(low, isUnlimited ? 1 : (max ?? 0));
  if (high > 1) throw new ComposefsError('EINVAL', 'Invalid argument');
  if (low === 1) return 1;
  return high === 1 && hasWhiteout(root) ? 1 : 0;
}

/** Whether there is a whiteout anywhere. */
export function hasWhiteout(root: Directory): boolean {
  const pending = [root];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { children, leaves } = directory.list();
    for (const child of children) {
      if (child instanceof Directory) pending.push(child);
      else if (typeof child === 'number' ? leaves.isWhiteout(child) : isWhiteout(child.content)) return true;
    }
  }
  return false;
}
