import type { Xattrs } from '../tree/stat.js';
import type { TreeEntry } from './comparable-tree.js';

/**
 * In what two inodes can differ. `device`: the numbers of a device; `time`: the mtime, to the nanosecond; `links`: which
 * other names the inode has. Of inodes of two types nothing but the type is compared that only one type has.
 */
export type Aspect = 'type' | 'content' | 'target' | 'device' | 'links' | 'mode' | 'owner' | 'time' | 'xattrs';

/** In the order in which they are listed. */
export const ASPECTS: readonly Aspect[] = [
  'type',
  'content',
  'target',
  'device',
  'links',
  'mode',
  'owner',
  'time',
  'xattrs',
];

/** What of mode, owner, time and xattrs differs. */
export function statDifferences({ stat: a }: TreeEntry, { stat: b }: TreeEntry): Aspect[] {
  const aspects: Aspect[] = [];
  if (a.mode !== b.mode) aspects.push('mode');
  if (a.uid !== b.uid || a.gid !== b.gid) aspects.push('owner');
  if (a.mtimeSec !== b.mtimeSec || a.mtimeNsec !== b.mtimeNsec) aspects.push('time');
  if (!haveSameXattrs(a.xattrs, b.xattrs)) aspects.push('xattrs');
  return aspects;
}

function haveSameXattrs(a: Xattrs, b: Xattrs): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [name, value] of a) if (b.get(name) !== value) return false;
  return true;
}
