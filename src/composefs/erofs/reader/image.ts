import { byteRegion } from '../../../bytes/byte-region.js';
import {
  COMPOSEFS_HEADER_SIZE,
  LAYOUT_CHUNK_BASED,
  LAYOUT_FLAT_INLINE,
  SLOT_SIZE,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
} from '../format/constants.js';
import { type ComposefsHeader, decodeHeader } from '../format/header.js';
import { decodeSuperblock, type Superblock } from '../format/superblock.js';
import { invalidImage, invalidInode, outOfBounds } from './errors.js';
import { type BlockRange, ErofsInode, type InodeContainer } from './inode.js';
import { checkRestrictions } from './restrictions.js';
import { Xattr } from './xattr.js';

/** Larger images are refused unless the caller allows them. */
export const DEFAULT_MAX_IMAGE_SIZE: number = 2 ** 30;

/**
 * An EROFS image in memory. Nothing is trusted: every access is checked against the bytes there are, and fails with an
 * {@link ErofsReaderError}. Buffers that it returns are views.
 */
export class ErofsImage implements InodeContainer {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly header: ComposefsHeader;
  readonly superblock: Superblock;
  readonly blockSize: number;
  /** Offset from which nids count. */
  readonly inodesOffset: number;
  /** Offset from which ids of shared xattrs count. */
  readonly xattrsOffset: number;
  #isRestricted = false;

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = byteRegion(bytes).view;
    this.header = decodeHeader(bytes);
    this.superblock = decodeSuperblock(bytes);
    const { blockBits, metaBlock, xattrBlock } = this.superblock;
    if (blockBits >= 64) throw invalidImage(`blkszbits ${blockBits} >= platform word size 64`);
    // Powers of two times 32-bit numbers: exact as floating-point numbers.
    this.blockSize = 2 ** blockBits;
    this.inodesOffset = metaBlock * this.blockSize;
    this.xattrsOffset = xattrBlock * this.blockSize;
    if (this.inodesOffset > bytes.length || this.xattrsOffset > bytes.length) throw outOfBounds();
  }

  /** Checks sizes only, no magic: see {@link ErofsImage.restrictToComposefs}. @throws ErofsReaderError */
  static open(bytes: Buffer, options: { readonly maxSize?: number } = {}): ErofsImage {
    const { maxSize = DEFAULT_MAX_IMAGE_SIZE } = options;
    const { length } = bytes;
    if (length > maxSize) throw invalidImage(`image size ${length} exceeds maximum ${maxSize}`);
    if (length < COMPOSEFS_HEADER_SIZE) throw invalidImage('cannot parse header');
    if (length < SUPERBLOCK_OFFSET) throw invalidImage('image too small for superblock');
    if (length < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) throw invalidImage('cannot parse superblock');
    return new ErofsImage(bytes);
  }

  /** Refuses what composefs does not use, and from then on sizes that cannot be. @throws ErofsReaderError */
  restrictToComposefs(): this {
    checkRestrictions(this.header, this.superblock);
    this.#isRestricted = true;
    return this;
  }

  get isRestricted(): boolean {
    return this.#isRestricted;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** No inode has a nid that is as large. */
  get nidLimit(): number {
    return Math.ceil((this.bytes.length - this.inodesOffset) / SLOT_SIZE);
  }

  root(): ErofsInode {
    return this.inode(this.superblock.rootNid);
  }

  /** @throws ErofsReaderError if the inode, with xattrs and tail, does not lie inside the image. */
  inode(nid: number): ErofsInode {
    const offset = this.inodesOffset + SLOT_SIZE * nid;
    if (!(offset < this.bytes.length)) throw invalidInode(nid);
    return new ErofsInode(this, nid, offset);
  }

  /** @throws ErofsReaderError `out-of-bounds` */
  sharedXattr(id: number): Xattr {
    return new Xattr(this, this.xattrsOffset + 4 * id, this.bytes.length);
  }

  /** @throws ErofsReaderError `out-of-bounds` */
  slice(offset: number, length: number): Buffer {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes.length)) throw outOfBounds();
    return this.bytes.subarray(offset, offset + length);
  }

  /** @throws ErofsReaderError `out-of-bounds` */
  block(id: number): Buffer {
    return this.slice(id * this.blockSize, this.blockSize);
  }

  /** The blocks of an inode, which lie inside the image; none for chunk-based inodes. @throws ErofsReaderError */
  inodeBlocks(inode: ErofsInode): BlockRange {
    if (inode.layout === LAYOUT_CHUNK_BASED) return { start: 0, end: 0 };
    const { size, u: start } = inode;
    if (this.#isRestricted && size > this.bytes.length) {
      throw invalidImage(`inode size ${BigInt(size)} exceeds image size ${this.bytes.length}`);
    }
    const blocks = size / this.blockSize;
    const end = start + (inode.layout === LAYOUT_FLAT_INLINE ? Math.floor(blocks) : Math.ceil(blocks));
    if (end >= 2 ** 64) throw invalidImage('block range overflow');
    const available = Math.floor(this.bytes.length / this.blockSize);
    if (end > start && end > available) {
      throw invalidImage(`inode block range ${start}..${BigInt(end)} exceeds image (${available} blocks)`);
    }
    return { start, end };
  }

  /** The parts of a directory that hold entries: blocks, then the inline tail. @throws ErofsReaderError */
  *directoryParts(directory: ErofsInode): Generator<Buffer> {
    const { start, end } = this.inodeBlocks(directory);
    for (let id = start; id < end; id++) yield this.block(id);
    const inline = directory.inline();
    if (inline !== undefined) yield inline;
  }
}
