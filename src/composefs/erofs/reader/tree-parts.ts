import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } from '../../../linux/constants.js';
import type { LeafContent } from '../../tree/inode.js';
import type { Stat, Xattrs } from '../../tree/stat.js';
import type { ErofsInode } from './inode.js';

/** What an inode of an image says of its owner, mode and time, with the xattrs that the caller has read. */
export function readStat({ mode, uid, gid, mtimeSec, mtimeNsec }: ErofsInode, xattrs: Xattrs): Stat {
  return { mode: mode & 0o7777, uid, gid, mtimeSec, mtimeNsec, xattrs };
}

/** The content of an inode that is all in its header: a device, a FIFO, a socket; undefined for other types. */
export function specialContent({ type, u }: ErofsInode): LeafContent | undefined {
  switch (type) {
    case S_IFCHR:
      return { type: 'character-device', rdev: u };
    case S_IFBLK:
      return { type: 'block-device', rdev: u };
    case S_IFIFO:
      return { type: 'fifo' };
    case S_IFSOCK:
      return { type: 'socket' };
    default:
      return undefined;
  }
}
