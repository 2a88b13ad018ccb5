import { readlinkSync } from 'node:fs';
import { byteStringFrom } from '../../bytes/byte-string.js';
import { S_IFBLK, S_IFIFO, S_IFLNK, S_IFSOCK } from '../../linux/constants.js';
import type { FileStatus } from '../../linux/file-status.js';
import type { LeafContent } from '../tree/inode.js';

/** What a tree holds of anything but a directory or a regular file. */
export function specialContent({ type, rdev }: FileStatus, path: string | Buffer): LeafContent {
  switch (type) {
    case S_IFLNK:
      return { type: 'symlink', target: byteStringFrom(readlinkSync(path, { encoding: 'buffer' })) };
    case S_IFIFO:
      return { type: 'fifo' };
    case S_IFSOCK:
      return { type: 'socket' };
    default:
      return { type: type === S_IFBLK ? 'block-device' : 'character-device', rdev };
  }
}
