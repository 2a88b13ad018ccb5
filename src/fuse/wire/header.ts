import { decodeUint64 } from '../../composefs/erofs/int64.js';

/** `struct fuse_in_header`. */
export const REQUEST_HEADER_SIZE = 40;
/** `struct fuse_out_header`. */
export const REPLY_HEADER_SIZE = 16;

/** `struct fuse_in_header`: what every request begins with. uid, gid and pid @24 are of no interest to us. */
export interface RequestHeader {
  /** Bytes of the whole request. */
  readonly length: number;
  readonly opcode: number;
  /** The two halves of `unique`, which only goes back into the reply. */
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly node: number;
}

/** @param source at least 40 bytes. */
export function decodeRequestHeader(source: Buffer): RequestHeader {
  return {
    length: source.readUInt32LE(0),
    opcode: source.readUInt32LE(4),
    uniqueLow: source.readUInt32LE(8),
    uniqueHigh: source.readUInt32LE(12),
    node: decodeUint64(source, 16),
  };
}

/**
 * Writes `struct fuse_out_header`: len @0, error @4, unique @8.
 *
 * @param length of the whole reply: 16 for an error.
 * @param errno positive, or 0.
 */
export function encodeReplyHeader(target: Buffer, length: number, errno: number, request: RequestHeader): void {
  target.writeUInt32LE(length, 0);
  target.writeInt32LE(-errno, 4);
  target.writeUInt32LE(request.uniqueLow, 8);
  target.writeUInt32LE(request.uniqueHigh, 12);
}
