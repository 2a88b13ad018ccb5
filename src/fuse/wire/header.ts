import { decodeUint64 } from '../../bytes/int64.js';
import { ComposefsError } from '../../errors.js';

/** `struct fuse_in_header`. */
export const REQUEST_HEADER_SIZE = 40;
/** `struct fuse_out_header`. */
export const REPLY_HEADER_SIZE = 16;

/** `struct fuse_in_header`: what every request begins with. */
export interface RequestHeader {
  /** Bytes of the whole request. */
  readonly length: number;
  readonly opcode: number;
  /** The two halves of `unique`, which only goes back into the reply. */
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly node: number;
  /** Of who asks, in the user namespace of the mount. */
  readonly uid: number;
}

/** len u32 @0, opcode u32 @4, unique u64 @8, nodeid u64 @16, uid u32 @24, gid @28, pid @32. @throws WireError */
export function decodeRequestHeader(source: Buffer): RequestHeader {
  checkSize(source, REQUEST_HEADER_SIZE, 'fuse_in_header');
  return {
    length: source.readUInt32LE(0),
    opcode: source.readUInt32LE(4),
    uniqueLow: source.readUInt32LE(8),
    uniqueHigh: source.readUInt32LE(12),
    node: decodeUint64(source, 16),
    uid: source.readUInt32LE(24),
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

/** Code `EINVAL`: a request that is shorter than its structure, or a name without its end. No kernel sends one. */
export class WireError extends ComposefsError {
  constructor(what: string, size: number) {
    super('EINVAL', `malformed FUSE request: ${what} of ${size} bytes`);
  }
}

/** @throws WireError unless `body` holds a structure of `size` bytes. */
export function checkSize(body: Uint8Array, size: number, what: string): void {
  if (body.length < size) throw new WireError(what, body.length);
}
