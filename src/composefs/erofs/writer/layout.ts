import { roundUp } from '../../../bytes/integer.js';
import {
  BLOCK_SIZE,
  COMPACT_INODE_SIZE,
  EXTENDED_INODE_SIZE,
  INODES_OFFSET,
  LAYOUT_CHUNK_BASED,
} from '../format/constants.js';
import type { ImageInode } from './image-inode.js';
import type { XattrEntry } from './xattr-table.js';

/** Where the parts of an image lie (spec 20 §1.1). */
export interface ImageLayout {
  /** Offset of the shared xattrs. */
  readonly inodesEnd: number;
  /** Offset of the first data block. */
  readonly dataStart: number;
  /** Length of the image. */
  readonly size: number;
}

export type PlaceInode = (inode: ImageInode, position: number, metaSize: number) => number;

/** Bytes of an inode before its tail. */
function metaSize(inode: ImageInode): number {
  return (inode.isCompact ? COMPACT_INODE_SIZE : EXTENDED_INODE_SIZE) + inode.xattrSize;
}

/** Gives inodes, shared entries and data blocks their places, in that order. */
export function layOut(inodes: readonly ImageInode[], shared: readonly XattrEntry[], place: PlaceInode): ImageLayout {
  let position = INODES_OFFSET;
  for (const inode of inodes) {
    const meta = metaSize(inode);
    inode.position = place(inode, position, meta);
    position = inode.position + meta + inode.tailSize;
  }
  const inodesEnd = roundUp(position, 32);
  position = inodesEnd;
  for (const entry of shared) {
    entry.position = position;
    position += entry.size;
  }
  const dataStart = roundUp(position, BLOCK_SIZE);
  let block = dataStart / BLOCK_SIZE;
  for (const inode of inodes) {
    if (inode.blockCount === 0) continue;
    // A promoted chunk array overwrites the low half of the address with the chunk format: a quirk that all writers
    // share. Nothing reads the block: the chunks have no data.
    inode.u = inode.layout === LAYOUT_CHUNK_BASED ? ((block & 0xffff0000) | inode.u) >>> 0 : block;
    block += inode.blockCount;
  }
  return { inodesEnd, dataStart, size: block * BLOCK_SIZE };
}
