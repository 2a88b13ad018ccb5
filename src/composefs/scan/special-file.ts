import { type BigIntStats, type Dirent, readlinkSync } from 'node:fs';
import { byteStringFrom } from '../../bytes/byte-string.js';
import { safeInteger } from '../../bytes/integer.js';
import type { LeafContent } from '../tree/inode.js';

/** What a tree holds of anything but a directory or a regular file. */
export function specialContent(stats: BigIntStats, path: string | Buffer): LeafContent {
  if (stats.isSymbolicLink()) {
    return { type: 'symlink', target: byteStringFrom(readlinkSync(path, { encoding: 'buffer' })) };
  }
  if (stats.isFIFO()) return { type: 'fifo' };
  if (stats.isSocket()) return { type: 'socket' };
  const rdev = safeInteger(stats.rdev, 'device number');
  return stats.isBlockDevice() ? { type: 'block-device', rdev } : { type: 'character-device', rdev };
}

/** Where readdir gives no types, Node asks for them, so that all are known here. */
export function hasTypeOf(entry: Dirent, stats: BigIntStats): boolean {
  return (
    entry.isSymbolicLink() === stats.isSymbolicLink() &&
    entry.isFIFO() === stats.isFIFO() &&
    entry.isSocket() === stats.isSocket() &&
    entry.isBlockDevice() === stats.isBlockDevice() &&
    entry.isCharacterDevice() === stats.isCharacterDevice() &&
    !stats.isFile() &&
    !stats.isDirectory()
  );
}
