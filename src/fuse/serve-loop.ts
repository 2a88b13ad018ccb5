import { readSync, writeSync } from 'node:fs';
import { decodeUint64 } from '../bytes/int64.js';
import { ErofsReaderError } from '../composefs/erofs/reader/errors.js';
import { errorCode } from '../errors.js';
import { DEFERRED, type ImageServer, NO_REPLY } from './image-server.js';
import {
  decodeRequestHeader,
  EINVAL,
  EIO,
  EMFILE,
  ENFILE,
  encodeReplyHeader,
  FUSE_OPEN,
  REPLY_HEADER_SIZE,
  REQUEST_HEADER_SIZE,
  type RequestHeader,
  WireError,
} from './wire/index.js';

/** More than the kernel needs for the longest request without data; many FORGETs come as one request. */
const REQUEST_BUFFER_SIZE = 64 * 1024;
/** The longest reply to a READ: as the kernel's `fs.fuse.max_pages_limit` has it by default. */
export const MAX_READ_PAGES = 256;
const REPLY_BUFFER_SIZE: number = REPLY_HEADER_SIZE + MAX_READ_PAGES * 4096;

/**
 * Serves requests until the file system is unmounted. Blocks: see serve-thread.ts for why.
 *
 * @param defer gets a copy of a request that has to wait, and sees to its answer: {@link answerLater}.
 * @throws errors of `read(2)` other than those that the protocol allows.
 */
export function serveRequests(deviceFd: number, server: ImageServer, defer: (request: Uint8Array) => void): void {
  const request = Buffer.allocUnsafeSlow(REQUEST_BUFFER_SIZE);
  const reply = Buffer.allocUnsafeSlow(REPLY_BUFFER_SIZE);
  for (;;) {
    const size = readRequest(deviceFd, request);
    if (size === undefined) return;
    if (size < REQUEST_HEADER_SIZE) continue;
    const message = request.subarray(0, size);
    const header = decodeRequestHeader(message);
    const result = handle(server, header, message, reply);
    if (result === DEFERRED) defer(Uint8Array.from(message));
    else sendResult(deviceFd, server, header, result, reply);
  }
}

/**
 * Answers a deferred request.
 *
 * @param prepare makes that it need not be deferred again; what it throws is an error for the reader.
 */
export async function answerLater(
  deviceFd: number,
  server: ImageServer,
  request: Buffer,
  prepare: (header: RequestHeader) => Promise<void>,
): Promise<void> {
  const reply = Buffer.allocUnsafe(4096);
  const header = decodeRequestHeader(request);
  let result: number;
  try {
    await prepare(header);
    result = handle(server, header, request, reply);
  } catch (error) {
    result = -errnoOf(error);
  }
  sendResult(deviceFd, server, header, result === DEFERRED ? -EIO : result, reply);
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
          return undefined;
        default:
          throw error;
      }
    }
  }
}

/** Whatever is wrong with an image or an object, the reader gets an error and the others are served on. */
function handle(server: ImageServer, header: RequestHeader, message: Buffer, reply: Buffer): number {
  try {
    return server.handle(header, message.subarray(REQUEST_HEADER_SIZE), reply.subarray(REPLY_HEADER_SIZE));
  } catch (error) {
    return -errnoOf(error);
  }
}

function errnoOf(error: unknown): number {
  if (error instanceof ErofsReaderError) return EIO;
  if (error instanceof WireError) return EINVAL;
  const code = errorCode(error);
  return code === 'EMFILE' ? EMFILE : code === 'ENFILE' ? ENFILE : EIO;
}

function sendResult(deviceFd: number, server: ImageServer, header: RequestHeader, result: number, reply: Buffer): void {
  if (result === NO_REPLY) return;
  const length = REPLY_HEADER_SIZE + Math.max(result, 0);
  encodeReplyHeader(reply, length, result < 0 ? -result : 0, header);
  if (sendReply(deviceFd, reply, length) || header.opcode !== FUSE_OPEN || result <= 0) return;
  // Nobody waits any more, so nobody will release it.
  server.release(decodeUint64(reply, REPLY_HEADER_SIZE));
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
