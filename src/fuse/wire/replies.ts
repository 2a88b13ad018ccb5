import { encodeInt64 } from '../../bytes/int64.js';
import { NAME_MAX } from '../../linux/constants.js';
import { BLOCK_SIZE } from './attributes.js';

export const STATFS_SIZE = 80;

/** `struct fuse_open_out`: fh @0, open_flags @8, backing_id @12. */
export function encodeOpen(target: Buffer, offset: number, handle: number, flags: number, backingId: number): number {
  encodeInt64(target, handle, offset);
  target.writeUInt32LE(flags, offset + 8);
  target.writeInt32LE(backingId, offset + 12);
  return 16;
}

/** `struct fuse_getxattr_out`: size @0, padding @4. */
export function encodeXattrSize(target: Buffer, offset: number, size: number): number {
  target.writeUInt32LE(size, offset);
  target.writeUInt32LE(0, offset + 4);
  return 8;
}

/**
 * `struct fuse_kstatfs`: blocks, bfree, bavail, files, ffree u64 @0, all 0; bsize u32 @40, namelen @44, frsize @48
 * (spec 50 §24.5).
 */
export function encodeStatfs(target: Buffer, offset: number): number {
  target.fill(0, offset, offset + STATFS_SIZE);
  target.writeUInt32LE(BLOCK_SIZE, offset + 40);
  target.writeUInt32LE(NAME_MAX, offset + 44);
  target.writeUInt32LE(BLOCK_SIZE, offset + 48);
  return STATFS_SIZE;
}

/** `struct fuse_lseek_out`: offset @0. */
export function encodeLseek(target: Buffer, offset: number, position: number): number {
  encodeInt64(target, position, offset);
  return 8;
}
