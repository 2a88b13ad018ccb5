import { INIT_EXT } from './constants.js';
import { checkSize } from './header.js';

/** What the kernel offers: `struct fuse_init_in`. */
export interface InitRequest {
  readonly major: number;
  readonly minor: number;
  /** Bytes. */
  readonly maxReadahead: number;
  readonly flags: number;
  /** Bits from 32; 0 of kernels before 5.17. */
  readonly flags2: number;
}

/** What the server makes of it: `struct fuse_init_out`. */
export interface InitReply extends InitRequest {
  /** Requests that may wait in the background: read-ahead. */
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  /** Bytes; the kernel's requests are this much longer than the longest header. */
  readonly maxWrite: number;
  /** Pages of one READ. */
  readonly maxPages: number;
  /** How many file systems may lie below this one, for passthrough; 0 without. */
  readonly maxStackDepth: number;
}

export const INIT_REPLY_SIZE = 64;

/** Before 7.36, which added `flags2`. */
const INIT_MIN_SIZE = 16;

/** major @0, minor @4, max_readahead @8, flags @12, flags2 @16. @throws WireError */
export function decodeInit(body: Buffer): InitRequest {
  checkSize(body, INIT_MIN_SIZE, 'fuse_init_in');
  const flags = body.readUInt32LE(12);
  return {
    major: body.readUInt32LE(0),
    minor: body.readUInt32LE(4),
    maxReadahead: body.readUInt32LE(8),
    flags,
    flags2: (flags & INIT_EXT) !== 0 && body.length >= 20 ? body.readUInt32LE(16) : 0,
  };
}

/**
 * major @0, minor @4, max_readahead @8, flags @12, max_background u16 @16, congestion_threshold u16 @18, max_write @20,
 * time_gran @24, max_pages u16 @28, map_alignment u16 @30, flags2 @32, max_stack_depth @36, zero to 64.
 */
export function encodeInit(target: Buffer, offset: number, reply: InitReply): number {
  target.fill(0, offset, offset + INIT_REPLY_SIZE);
  target.writeUInt32LE(reply.major, offset);
  target.writeUInt32LE(reply.minor, offset + 4);
  target.writeUInt32LE(reply.maxReadahead, offset + 8);
  target.writeUInt32LE(reply.flags >>> 0, offset + 12);
  target.writeUInt16LE(reply.maxBackground, offset + 16);
  target.writeUInt16LE(reply.congestionThreshold, offset + 18);
  target.writeUInt32LE(reply.maxWrite, offset + 20);
  target.writeUInt32LE(1, offset + 24);
  target.writeUInt16LE(reply.maxPages, offset + 28);
  target.writeUInt32LE(reply.flags2 >>> 0, offset + 32);
  target.writeUInt32LE(reply.maxStackDepth, offset + 36);
  return INIT_REPLY_SIZE;
}
