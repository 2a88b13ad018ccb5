import { roundUp } from '../../../bytes/integer.js';
import { CHUNK_ADDRESS_SIZE } from '../format/chunks.js';
import { BLOCK_SIZE, LAYOUT_CHUNK_BASED, LAYOUT_FLAT_INLINE, SLOT_SIZE } from '../format/constants.js';
import { type ImageInode, INODE_KIND } from './image-inode.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import { type NamesOf, planDirectory } from './layout-epoch1.js';

/** The chunk format of V2, whatever the size. */
const CHUNK_FORMAT = 31;

/** Decides layout and sizes of an inode of V2 (spec 20 §6.3): nothing but directories ever has blocks. */
export function planEpoch2(inode: ImageInode, names: NamesOf): void {
  switch (inode.kind) {
    case INODE_KIND.DIRECTORY:
      planDirectory(inode, names(inode.index));
      return;
    case INODE_KIND.INLINE:
    case INODE_KIND.SYMLINK:
      planTail(inode, inode.contentSize);
      return;
    case INODE_KIND.EXTERNAL:
    case INODE_KIND.EXTERNAL_ELSEWHERE:
    case INODE_KIND.NO_VERITY:
    case INODE_KIND.SPARSE:
      inode.layout = LAYOUT_CHUNK_BASED;
      inode.size = inode.contentSize;
      inode.u = CHUNK_FORMAT;
      inode.tailSize = inode.kind === INODE_KIND.NO_VERITY || inode.kind === INODE_KIND.SPARSE ? 0 : CHUNK_ADDRESS_SIZE;
      return;
    case INODE_KIND.BLOCK_DEVICE:
    case INODE_KIND.CHARACTER_DEVICE:
      inode.u = inode.contentSize;
  }
}

function planTail(inode: ImageInode, size: number): void {
  if (size === 0) return;
  if (size >= BLOCK_SIZE) {
    throw new InvalidTreeError('inline-size', `a V2 image cannot hold inline content of ${size} bytes (max 4095)`);
  }
  inode.layout = LAYOUT_FLAT_INLINE;
  inode.size = size;
  inode.tailSize = size;
}

/**
 * Where an inode of V2 begins (spec 20 §6.4). The rule is one byte off, and does not align the tail: frozen, because
 * the digests of existing images depend on it.
 */
export function placeEpoch2(inode: ImageInode, position: number, metaSize: number): number {
  const start = roundUp(position, SLOT_SIZE);
  if (inode.layout !== LAYOUT_FLAT_INLINE) return start;
  const lastOfMeta = start + metaSize - 1;
  const afterTail = lastOfMeta + 1 + (inode.size % BLOCK_SIZE);
  if (Math.floor(lastOfMeta / BLOCK_SIZE) === Math.floor(afterTail / BLOCK_SIZE)) return start;
  return roundUp(start + BLOCK_SIZE - (lastOfMeta % BLOCK_SIZE), SLOT_SIZE);
}
