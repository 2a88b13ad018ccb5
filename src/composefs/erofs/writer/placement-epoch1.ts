import { roundUp } from '../../../bytes/integer.js';
import { BLOCK_SIZE, SLOT_SIZE } from '../format/constants.js';
import type { ImageInode } from './image-inode.js';

/** Where an inode of V0 or V1 begins if the one before it ends at `position` (spec 20 §3.12). */
export function placeEpoch1(inode: ImageInode, position: number, metaSize: number): number {
  const start = roundUp(position, SLOT_SIZE);
  if (inode.isPromoted) return roundUp(start, BLOCK_SIZE);
  if (inode.content?.type === 'symlink') {
    // Kernels before 6.12 fail unless inode, xattrs and target lie in one block.
    return (start % BLOCK_SIZE) + metaSize + inode.tailSize > BLOCK_SIZE ? roundUp(start, BLOCK_SIZE) : start;
  }
  // Of the others only the tail must lie in one block.
  const room = BLOCK_SIZE - ((start + metaSize) % BLOCK_SIZE);
  return room < inode.tailSize ? start + roundUp(room, SLOT_SIZE) : start;
}
