import type { ByteRegion } from '../../../bytes/byte-region.js';
import { getInt64, getUint64 } from '../../../bytes/int64.js';
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../linux/constants.js';
import {
  COMPACT_INODE_SIZE,
  type DataLayout,
  EXTENDED_INODE_SIZE,
  LAYOUT_CHUNK_BASED,
  LAYOUT_FLAT_INLINE,
  LAYOUT_FLAT_PLAIN,
} from '../format/constants.js';
import {
  COMPACT_GID,
  COMPACT_NLINK,
  EXTENDED_GID,
  EXTENDED_MTIME,
  EXTENDED_MTIME_NSEC,
  EXTENDED_NLINK,
  FORMAT_EXTENDED,
  FORMAT_LAYOUT_MASK,
  INODE_FORMAT,
  INODE_INO,
  INODE_MODE,
  INODE_SIZE,
  INODE_U,
  INODE_UID,
  INODE_XATTR_COUNT,
} from '../format/inode-header.js';
import type { Superblock } from '../format/superblock.js';
import { XATTR_AREA_HEADER_SIZE, xattrAreaSize } from '../format/xattr-area.js';
import { invalidImage, invalidInode, outOfBounds } from './errors.js';
import { Xattr } from './xattr.js';

/** Bytes after the xattrs of every chunk-based inode, whatever the number of chunks (spec 20 §9.3, §16.14). */
const CHUNK_TAIL_SIZE = 4;
const WORD = 2 ** 32;
const NO_IDS: readonly number[] = [];

/** Block addresses from `start` to `end`, exclusive. */
export interface BlockRange {
  readonly start: number;
  readonly end: number;
}

/** What an inode, and whoever reads its content, needs of the image that it lies in. */
export interface InodeContainer extends ByteRegion {
  readonly superblock: Superblock;
  readonly blockSize: number;
  /** @throws ErofsReaderError `out-of-bounds` */
  sharedXattr(id: number): Xattr;
  /** @throws ErofsReaderError `out-of-bounds` */
  slice(offset: number, length: number): Buffer;
  /** The blocks of an inode, which lie inside the image; none for chunk-based inodes. @throws ErofsReaderError */
  inodeBlocks(inode: ErofsInode): BlockRange;
}

/** An inode in an image: its extent is checked when it is made, its fields are read when asked for. */
export class ErofsInode {
  readonly image: InodeContainer;
  readonly nid: number;
  /** Offset of the header in the image. */
  readonly offset: number;
  readonly isExtended: boolean;
  readonly layout: DataLayout;
  /** Bytes of the xattr area. */
  readonly xattrSize: number;
  /** Bytes after the xattr area. */
  readonly tailSize: number;

  constructor(image: InodeContainer, nid: number, offset: number) {
    const { bytes, view } = image;
    this.image = image;
    this.nid = nid;
    this.offset = offset;
    if (offset >= bytes.length) throw invalidInode(nid);
    this.isExtended = (view.getUint8(offset + INODE_FORMAT) & FORMAT_EXTENDED) !== 0;
    if (offset + this.headerSize > bytes.length) throw invalidInode(nid);
    this.layout = dataLayout(view.getUint16(offset + INODE_FORMAT, true));
    this.xattrSize = xattrAreaSize(view.getUint16(offset + INODE_XATTR_COUNT, true));
    const room = bytes.length - offset - this.headerSize - this.xattrSize;
    this.tailSize = this.#tailSize(room);
    if (room < 0 || this.tailSize > room) throw invalidInode(nid);
  }

  get headerSize(): number {
    return this.isExtended ? EXTENDED_INODE_SIZE : COMPACT_INODE_SIZE;
  }

  /** Header, xattrs and tail. */
  get extent(): number {
    return this.headerSize + this.xattrSize + this.tailSize;
  }

  get mode(): number {
    return this.image.view.getUint16(this.offset + INODE_MODE, true);
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  get isDirectory(): boolean {
    return this.type === S_IFDIR;
  }

  get isRegular(): boolean {
    return this.type === S_IFREG;
  }

  get isSymlink(): boolean {
    return this.type === S_IFLNK;
  }

  /** A character device 0:0 as it is, not escaped. */
  get isWhiteout(): boolean {
    return this.type === S_IFCHR && this.u === 0;
  }

  /** `i_size`, rounded if beyond 2^53: {@link ErofsInode.exactSize} refuses that. */
  get size(): number {
    const { view } = this.image;
    return this.isExtended ? getUint64(view, this.offset + INODE_SIZE) : view.getUint32(this.offset + INODE_SIZE, true);
  }

  /** @throws ErofsReaderError if the size is not a safe integer. */
  get exactSize(): number {
    return exact(this.size, 'inode size');
  }

  /** First block address, chunk format or device number. */
  get u(): number {
    return this.image.view.getUint32(this.offset + INODE_U, true);
  }

  get ino(): number {
    return this.image.view.getUint32(this.offset + INODE_INO, true);
  }

  get uid(): number {
    const at = this.offset + INODE_UID;
    return this.isExtended ? this.image.view.getUint32(at, true) : this.image.view.getUint16(at, true);
  }

  get gid(): number {
    const { view } = this.image;
    return this.isExtended
      ? view.getUint32(this.offset + EXTENDED_GID, true)
      : view.getUint16(this.offset + COMPACT_GID, true);
  }

  get nlink(): number {
    const { view } = this.image;
    return this.isExtended
      ? view.getUint32(this.offset + EXTENDED_NLINK, true)
      : view.getUint16(this.offset + COMPACT_NLINK, true);
  }

  /** Seconds; compact inodes have the image's build time. @throws ErofsReaderError if beyond ±2^53. */
  get mtimeSec(): number {
    return this.isExtended
      ? exact(getInt64(this.image.view, this.offset + EXTENDED_MTIME), 'mtime')
      : exact(Number(this.image.superblock.buildTime), 'build time');
  }

  get mtimeNsec(): number {
    return this.isExtended
      ? this.image.view.getUint32(this.offset + EXTENDED_MTIME_NSEC, true)
      : this.image.superblock.buildTimeNsec;
  }

  /** The bytes after the xattr area, a view; undefined if there are none. */
  inline(): Buffer | undefined {
    if (this.tailSize === 0) return undefined;
    const start = this.offset + this.headerSize + this.xattrSize;
    return this.image.bytes.subarray(start, start + this.tailSize);
  }

  get #xattrsEnd(): number {
    return this.offset + this.headerSize + this.xattrSize;
  }

  /** Offset of the local entries. @throws ErofsReaderError if the shared ids do not fit in the xattr area. */
  get #localXattrs(): number {
    const start = this.offset + this.headerSize;
    const local = start + XATTR_AREA_HEADER_SIZE + 4 * this.image.view.getUint8(start + 4);
    if (local > this.#xattrsEnd) throw outOfBounds();
    return local;
  }

  /** The name filter of the xattr area: a bit that is set says that no xattr has a name of this hash (spec 20 §1.5). */
  get xattrFilter(): number {
    return this.xattrSize === 0 ? 0xffffffff : this.image.view.getUint32(this.offset + this.headerSize, true);
  }

  /** @throws ErofsReaderError */
  sharedXattrIds(): readonly number[] {
    if (this.xattrSize === 0) return NO_IDS;
    const end = this.#localXattrs;
    const start = this.offset + this.headerSize + XATTR_AREA_HEADER_SIZE;
    if (start === end) return NO_IDS;
    const ids: number[] = [];
    for (let at = start; at < end; at += 4) ids.push(this.image.view.getUint32(at, true));
    return ids;
  }

  /**
   * The local entry after `last`, or the first one; undefined if there is none.
   *
   * @throws ErofsReaderError if it does not fit.
   */
  nextLocalXattr(last?: Xattr): Xattr | undefined {
    if (this.xattrSize === 0) return undefined;
    const end = this.#xattrsEnd;
    const at = last === undefined ? this.#localXattrs : last.end;
    return at < end ? new Xattr(this.image, at, end) : undefined;
  }

  /** @throws ErofsReaderError at the first entry that does not fit. */
  *localXattrs(): Generator<Xattr> {
    for (let xattr = this.nextLocalXattr(); xattr !== undefined; xattr = this.nextLocalXattr(xattr)) yield xattr;
  }

  /** Shared, then local. @throws ErofsReaderError */
  *xattrs(): Generator<Xattr> {
    for (const id of this.sharedXattrIds()) yield this.image.sharedXattr(id);
    yield* this.localXattrs();
  }

  /** `i_size` modulo the block size, exact for any size. */
  #sizeInLastBlock(): number {
    const { view, blockSize } = this.image;
    const at = this.offset + INODE_SIZE;
    const low = view.getUint32(at, true);
    if (!this.isExtended || blockSize <= WORD) return low % blockSize;
    return low + (view.getUint32(at + 4, true) % (blockSize / WORD)) * WORD;
  }

  #tailSize(room: number): number {
    if (this.layout === LAYOUT_FLAT_INLINE) return this.#sizeInLastBlock();
    // Files without data in V2 images have no chunk address at all: such an inode may end with the image.
    if (this.layout === LAYOUT_CHUNK_BASED) return Math.min(CHUNK_TAIL_SIZE, Math.max(room, 0));
    return 0;
  }
}

function dataLayout(format: number): DataLayout {
  const layout = format & FORMAT_LAYOUT_MASK;
  if (layout === LAYOUT_FLAT_PLAIN || layout === LAYOUT_FLAT_INLINE || layout === LAYOUT_CHUNK_BASED) return layout;
  throw invalidImage('invalid data layout in inode format');
}

function exact(value: number, what: string): number {
  if (!Number.isSafeInteger(value)) throw invalidImage(`${what} ${BigInt(value)} is beyond the supported range`);
  return value;
}
