import { LAYOUT_CHUNK_BASED, LAYOUT_FLAT_INLINE } from '../format/constants.js';
import type { ErofsInode } from './inode.js';

/**
 * Copies a part of what an image itself holds of a file or symlink: blocks, then the inline tail; zeros for a sparse
 * file. Ends at the end of the file.
 *
 * @param length bytes that fit at `targetOffset`.
 * @returns the number of bytes.
 * @throws ErofsReaderError
 */
export function readImageContent(
  inode: ErofsInode,
  position: number,
  target: Buffer,
  targetOffset: number,
  length: number,
): number {
  const { image, exactSize: size } = inode;
  const count = Math.max(0, Math.min(length, size - position));
  if (count === 0) return 0;
  if (inode.layout === LAYOUT_CHUNK_BASED) {
    target.fill(0, targetOffset, targetOffset + count);
    return count;
  }
  const { start, end } = image.inodeBlocks(inode);
  const tailStart = (end - start) * image.blockSize;
  let copied = 0;
  if (position < tailStart) {
    copied = Math.min(count, tailStart - position);
    image.slice(start * image.blockSize + position, copied).copy(target, targetOffset);
  }
  if (copied < count && inode.layout === LAYOUT_FLAT_INLINE) {
    const from = position + copied - tailStart;
    copied += inode.inline()?.copy(target, targetOffset + copied, from, from + count - copied) ?? 0;
  }
  return copied;
}
