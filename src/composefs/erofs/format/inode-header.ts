import { setInt64 } from '../../../bytes/int64.js';
import { COMPACT_INODE_SIZE, type DataLayout, EXTENDED_INODE_SIZE } from './constants.js';

/** The header of an inode, in either form (spec 20 §1.4). */
export interface InodeHeader {
  readonly layout: DataLayout;
  readonly xattrCount: number;
  /** Type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly size: number;
  /** First block address, chunk format or device number. */
  readonly u: number;
  readonly ino: number;
  readonly uid: number;
  readonly gid: number;
  /** Extended form only; the compact form takes the image's build time. */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
}

/** Byte offsets that are the same in both forms. */
export const INODE_FORMAT = 0;
export const INODE_XATTR_COUNT = 2;
export const INODE_MODE = 4;
export const INODE_SIZE = 8;
export const INODE_U = 16;
export const INODE_INO = 20;
export const INODE_UID = 24;

/** Compact form: nlink and gid are 16 bits here, as is uid; size is 32 bits. */
export const COMPACT_NLINK = 6;
export const COMPACT_GID = 26;

/** Extended form: size is 64 bits, uid, gid and nlink 32. */
export const EXTENDED_GID = 28;
export const EXTENDED_MTIME = 32;
export const EXTENDED_MTIME_NSEC = 40;
export const EXTENDED_NLINK = 44;

/** Bit 0 of the format field. */
export const FORMAT_EXTENDED = 1;
/** Bits 1 to 3 of the format field. */
export const FORMAT_LAYOUT_MASK = 0x0e;

/** Writes 32 bytes into zeroed bytes; every value must fit its narrow field. Returns the size of the header. */
export function encodeCompactInode(target: DataView, offset: number, header: InodeHeader): number {
  encodeCommon(target, offset, header, 0);
  target.setUint16(offset + COMPACT_NLINK, header.nlink, true);
  target.setUint32(offset + INODE_SIZE, header.size, true);
  target.setUint16(offset + INODE_UID, header.uid, true);
  target.setUint16(offset + COMPACT_GID, header.gid, true);
  return COMPACT_INODE_SIZE;
}

/** Writes 64 bytes into zeroed bytes. Returns the size of the header. */
export function encodeExtendedInode(target: DataView, offset: number, header: InodeHeader): number {
  encodeCommon(target, offset, header, FORMAT_EXTENDED);
  setInt64(target, offset + INODE_SIZE, header.size);
  target.setUint32(offset + INODE_UID, header.uid, true);
  target.setUint32(offset + EXTENDED_GID, header.gid, true);
  setInt64(target, offset + EXTENDED_MTIME, header.mtimeSec);
  target.setUint32(offset + EXTENDED_MTIME_NSEC, header.mtimeNsec, true);
  target.setUint32(offset + EXTENDED_NLINK, header.nlink, true);
  return EXTENDED_INODE_SIZE;
}

function encodeCommon(target: DataView, offset: number, header: InodeHeader, form: number): void {
  target.setUint16(offset + INODE_FORMAT, header.layout | form, true);
  target.setUint16(offset + INODE_XATTR_COUNT, header.xattrCount, true);
  target.setUint16(offset + INODE_MODE, header.mode, true);
  target.setUint32(offset + INODE_U, header.u, true);
  target.setUint32(offset + INODE_INO, header.ino, true);
}
