import { encodeInt64 } from '../../bytes/int64.js';

/** `struct fuse_attr`. */
export interface Attributes {
  readonly ino: number;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  /** Seconds, may be negative; atime and ctime are the same. */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** With the type. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** As the kernel's `new_encode_dev` has it, which is how EROFS stores it. */
  readonly rdev: number;
}

export const ATTRIBUTES_SIZE = 88;
export const ENTRY_REPLY_SIZE = 128;
export const ATTRIBUTES_REPLY_SIZE = 104;

/** Seconds for which the kernel need not ask again (spec 50 §24.3): an image never changes. */
const VALID_SECONDS = 1_000_000;
/** What is told as the size of a block. */
export const BLOCK_SIZE = 4096;

/**
 * `struct fuse_attr`: ino @0, size @8, blocks @16, atime @24, mtime @32, ctime @40, their nanoseconds u32 @48, @52, @56,
 * mode @60, nlink @64, uid @68, gid @72, rdev @76, blksize @80, flags @84.
 */
export function encodeAttributes(target: Buffer, offset: number, attributes: Attributes): number {
  encodeInt64(target, attributes.ino, offset);
  encodeInt64(target, attributes.size, offset + 8);
  encodeInt64(target, attributes.blocks, offset + 16);
  for (let i = 0; i < 3; i++) {
    encodeInt64(target, attributes.mtimeSec, offset + 24 + 8 * i);
    target.writeUInt32LE(attributes.mtimeNsec, offset + 48 + 4 * i);
  }
  target.writeUInt32LE(attributes.mode, offset + 60);
  target.writeUInt32LE(attributes.nlink, offset + 64);
  target.writeUInt32LE(attributes.uid, offset + 68);
  target.writeUInt32LE(attributes.gid, offset + 72);
  target.writeUInt32LE(attributes.rdev, offset + 76);
  target.writeUInt32LE(BLOCK_SIZE, offset + 80);
  target.writeUInt32LE(0, offset + 84);
  return ATTRIBUTES_SIZE;
}

/** `struct fuse_entry_out`: nodeid @0, generation @8, entry_valid @16, attr_valid @24, nanoseconds @32 and @36, attr @40. */
export function encodeEntry(target: Buffer, offset: number, node: number, attributes: Attributes): number {
  encodeEntryHead(target, offset, node);
  encodeAttributes(target, offset + 40, attributes);
  return ENTRY_REPLY_SIZE;
}

/** An entry without a node: in the reply to LOOKUP a name that the kernel may remember as missing. */
export function encodeNoEntry(target: Buffer, offset: number): number {
  target.fill(0, offset + 40, offset + ENTRY_REPLY_SIZE);
  encodeEntryHead(target, offset, 0);
  return ENTRY_REPLY_SIZE;
}

/** `struct fuse_attr_out`: attr_valid @0, attr_valid_nsec @8, attr @16. */
export function encodeAttributesReply(target: Buffer, offset: number, attributes: Attributes): number {
  encodeInt64(target, VALID_SECONDS, offset);
  encodeInt64(target, 0, offset + 8);
  encodeAttributes(target, offset + 16, attributes);
  return ATTRIBUTES_REPLY_SIZE;
}

function encodeEntryHead(target: Buffer, offset: number, node: number): void {
  encodeInt64(target, node, offset);
  encodeInt64(target, 0, offset + 8);
  encodeInt64(target, VALID_SECONDS, offset + 16);
  encodeInt64(target, VALID_SECONDS, offset + 24);
  encodeInt64(target, 0, offset + 32);
}
