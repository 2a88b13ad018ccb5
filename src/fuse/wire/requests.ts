import { decodeUint64 } from '../../composefs/erofs/int64.js';

/** READ, READDIR and READDIRPLUS: `struct fuse_read_in`, 40 bytes. */
export interface ReadRequest {
  readonly handle: number;
  readonly offset: number;
  /** Bytes that the reply may have. */
  readonly size: number;
}

/** fh @0, offset @8, size @16. */
export function decodeRead(body: Buffer): ReadRequest {
  return { handle: decodeUint64(body, 0), offset: decodeUint64(body, 8), size: body.readUInt32LE(16) };
}

/** RELEASE: `struct fuse_release_in`, 24 bytes: fh @0. */
export function decodeRelease(body: Buffer): number {
  return decodeUint64(body, 0);
}

/** The name of a LOOKUP, up to its NUL; a view. */
export function decodeName(body: Buffer, offset = 0): Buffer {
  const end = body.indexOf(0, offset);
  return body.subarray(offset, end < 0 ? body.length : end);
}

/** GETXATTR and LISTXATTR: `struct fuse_getxattr_in`: size @0. 0 asks how long the value is. */
export function decodeXattrSize(body: Buffer): number {
  return body.readUInt32LE(0);
}

/** The name of a GETXATTR, after the 8 bytes of its structure. */
export function decodeXattrName(body: Buffer): Buffer {
  return decodeName(body, 8);
}
