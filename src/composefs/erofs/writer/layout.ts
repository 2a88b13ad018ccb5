import { roundUp } from '../../../bytes/integer.js';
import {
  BLOCK_SIZE,
  COMPACT_INODE_SIZE,
  EXTENDED_INODE_SIZE,
  INODES_OFFSET,
  LAYOUT_CHUNK_BASED,
  SLOT_SIZE,
} from '../format/constants.js';
import type { ImageInode } from './image-inode.js';
import type { SharedEntry } from './xattr-table.js';

/** Where the parts of an image lie (spec 20 §1.1). */
export interface ImageLayout {
  /** Offset of the shared xattrs. */
  readonly inodesEnd: number;
  /** Offset of the first data block. */
  readonly dataStart: number;
  /** Length of the image. */
  readonly size: number;
}

/** Bytes of an inode before its tail. */
export function metaSize(inode: ImageInode): number {
  return (inode.isCompact ? COMPACT_INODE_SIZE : EXTENDED_INODE_SIZE) + inode.xattrSize;
}

/**
 * Gives the inodes, one after the other, their places, then the shared entries, and the rest of the image to the data
 * blocks.
 */
export class Layouter {
  readonly #place: PlaceInode;
  #position = INODES_OFFSET;
  #blocks = 0;

  constructor(place: PlaceInode) {
    this.#place = place;
  }

  /** The position of an inode, which is planned. */
  add(inode: ImageInode): number {
    const meta = metaSize(inode);
    const position = this.#place(inode, this.#position, meta);
    this.#position = position + meta + inode.tailSize;
    this.#blocks += inode.blockCount;
    return position;
  }

  finish(shared: readonly SharedEntry[]): ImageLayout {
    const inodesEnd = roundUp(this.#position, SLOT_SIZE);
    let position = inodesEnd;
    for (const entry of shared) {
      entry.position = position;
      position += entry.size;
    }
    const dataStart = roundUp(position, BLOCK_SIZE);
    return { inodesEnd, dataStart, size: dataStart + this.#blocks * BLOCK_SIZE };
  }
}

/** Where an inode begins if the one before it ends at `position`. */
export type PlaceInode = (inode: ImageInode, position: number, metaSize: number) => number;

/** Tells a planned inode with blocks which is the first of them. */
export function setFirstBlock(inode: ImageInode, block: number): void {
  // A promoted chunk array overwrites the low half of the address with the chunk format: a quirk that all writers
  // share. Nothing reads the block: the chunks have no data.
  inode.u = inode.layout === LAYOUT_CHUNK_BASED ? ((block & 0xffff0000) | inode.u) >>> 0 : block;
}
