import { decodeUint64 } from '../../bytes/int64.js';
import { checkSize, WireError } from './header.js';

/** READ, READDIR and READDIRPLUS: `struct fuse_read_in`. */
export interface ReadRequest {
  readonly handle: number;
  readonly offset: number;
  /** Bytes that the reply may have. */
  readonly size: number;
}

const READ_SIZE = 40;
const RELEASE_SIZE = 24;
const GETXATTR_SIZE = 8;
const LSEEK_SIZE = 24;

/** fh @0, offset @8, size @16. @throws WireError */
export function decodeRead(body: Buffer): ReadRequest {
  checkSize(body, READ_SIZE, 'fuse_read_in');
  return { handle: decodeUint64(body, 0), offset: decodeUint64(body, 8), size: body.readUInt32LE(16) };
}

/** RELEASE: `struct fuse_release_in`: fh @0. @throws WireError */
export function decodeRelease(body: Buffer): number {
  checkSize(body, RELEASE_SIZE, 'fuse_release_in');
  return decodeUint64(body, 0);
}

/** The name of a LOOKUP, up to the NUL that must end it; a view. @throws WireError */
export function decodeName(body: Buffer, offset = 0): Buffer {
  const end = body.indexOf(0, offset);
  if (end < 0) throw new WireError('a name', body.length);
  return body.subarray(offset, end);
}

/** GETXATTR and LISTXATTR: `struct fuse_getxattr_in`: size @0. 0 asks how long the value is. @throws WireError */
export function decodeXattrSize(body: Buffer): number {
  checkSize(body, GETXATTR_SIZE, 'fuse_getxattr_in');
  return body.readUInt32LE(0);
}

/** The name of a GETXATTR, after its structure. @throws WireError */
export function decodeXattrName(body: Buffer): Buffer {
  return decodeName(body, GETXATTR_SIZE);
}

/** `struct fuse_lseek_in`. */
export interface LseekRequest {
  readonly offset: number;
  /** `SEEK_*` of unistd.h. */
  readonly whence: number;
}

/** fh @0, offset @8, whence u32 @16. @throws WireError */
export function decodeLseek(body: Buffer): LseekRequest {
  checkSize(body, LSEEK_SIZE, 'fuse_lseek_in');
  return { offset: decodeUint64(body, 8), whence: body.readUInt32LE(16) };
}
