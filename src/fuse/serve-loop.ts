import { readSync, writeSync } from 'node:fs';
import { decodeUint64 } from '../composefs/erofs/int64.js';
import { ErofsReaderError } from '../composefs/erofs/reader/errors.js';
import { errorCode } from '../errors.js';
import { type ImageServer, NO_REPLY } from './image-server.js';
import {
  decodeRequestHeader,
  EIO,
  EMFILE,
  ENFILE,
  encodeReplyHeader,
  FUSE_OPEN,
  REPLY_HEADER_SIZE,
  REQUEST_HEADER_SIZE,
  type RequestHeader,
} from './wire/index.js';

/** More than the kernel needs for the longest request without data; many FORGETs come as one request. */
const REQUEST_BUFFER_SIZE = 64 * 1024;
/** The longest reply to a READ: as the kernel's `fs.fuse.max_pages_limit` has it by default. */
export const MAX_READ_PAGES = 256;
const REPLY_BUFFER_SIZE = MAX_READ_PAGES * 4096;

/**
 * Serves requests until the file system is unmounted. Blocks: a thread that does nothing else answers in a fraction of
 * the time of the event loop.
 *
 * @throws errors of `read(2)` other than those that the protocol allows.
 */
export function serveRequests(deviceFd: number, server: ImageServer): void {
  const request = Buffer.allocUnsafeSlow(REQUEST_BUFFER_SIZE);
  const reply = Buffer.allocUnsafeSlow(REPLY_HEADER_SIZE + REPLY_BUFFER_SIZE);
  const body = reply.subarray(REPLY_HEADER_SIZE);
  for (;;) {
    const size = readRequest(deviceFd, request);
    if (size === undefined) return;
    if (size < REQUEST_HEADER_SIZE) continue;
    const header = decodeRequestHeader(request);
    const result = handle(server, header, request.subarray(REQUEST_HEADER_SIZE, size), body);
    if (result === NO_REPLY) continue;
    const length = REPLY_HEADER_SIZE + Math.max(result, 0);
    encodeReplyHeader(reply, length, result < 0 ? -result : 0, header);
    if (!sendReply(deviceFd, reply, length) && header.opcode === FUSE_OPEN && result > 0) {
      // Nobody waits any more, so nobody will release it.
      server.release(decodeUint64(body, 0));
    }
  }
}

/** The size of the next request; undefined if there will be none. */
function readRequest(deviceFd: number, buffer: Buffer): number | undefined {
  for (;;) {
    try {
      return readSync(deviceFd, buffer, 0, buffer.length, null);
    } catch (error) {
      switch (errorCode(error)) {
        // ENOENT: the request was given up while we were reading it.
        case 'EINTR':
        case 'EAGAIN':
        case 'ENOENT':
          continue;
        case 'ENODEV':
        case 'ECONNABORTED':
          return undefined;
        default:
          throw error;
      }
    }
  }
}

/** Whatever is wrong with an image or an object, the reader gets an error and the others are served on. */
function handle(server: ImageServer, { opcode, node }: RequestHeader, request: Buffer, reply: Buffer): number {
  try {
    return server.handle(opcode, node, request, reply);
  } catch (error) {
    if (error instanceof ErofsReaderError) return -EIO;
    const code = errorCode(error);
    return code === 'EMFILE' ? -EMFILE : code === 'ENFILE' ? -ENFILE : -EIO;
  }
}

/** False if the kernel no longer wants the reply. */
function sendReply(deviceFd: number, reply: Buffer, length: number): boolean {
  try {
    writeSync(deviceFd, reply, 0, length, null);
    return true;
  } catch {
    // ENOENT: given up; ENODEV: unmounted, which the next read tells.
    return false;
  }
}
