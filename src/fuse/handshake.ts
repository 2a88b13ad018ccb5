import { readSync, writeSync } from 'node:fs';
import { ComposefsError, errorCode } from '../errors.js';
import { MAX_READ_PAGES } from './serve-loop.js';
import * as wire from './wire/index.js';

/** The kernel's requests are at least 8192 bytes long. */
const INIT_BUFFER_SIZE = 64 * 1024;
/** Nobody writes. */
const MAX_WRITE = 4096;
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

export interface HandshakeOptions {
  /** The image has access control lists, which the kernel is to enforce. */
  readonly acl: boolean;
  /** Let the kernel read the files itself where it can. */
  readonly passthrough: boolean;
}

/** What kernel and server agreed on. */
export interface Negotiated {
  readonly noOpendir: boolean;
  readonly passthrough: boolean;
  readonly maxReadahead: number;
}

/**
 * The first exchange on a device, INIT. The request is there as soon as the file system is mounted.
 *
 * @throws ComposefsError `EPROTO` for a kernel that is too old, `ENODEV` if the mount is gone already.
 */
export function handshake(deviceFd: number, options: HandshakeOptions): Negotiated {
  const request = Buffer.alloc(INIT_BUFFER_SIZE);
  for (;;) {
    const size = readRequest(deviceFd, request);
    if (size < wire.REQUEST_HEADER_SIZE + 16) throw protocolError(`INIT has ${size} bytes`);
    const header = wire.decodeRequestHeader(request);
    if (header.opcode !== wire.FUSE_INIT) throw protocolError(`the first request is ${header.opcode}, not INIT`);
    const init = wire.decodeInit(request.subarray(wire.REQUEST_HEADER_SIZE, size));
    if (init.major < wire.FUSE_MAJOR || (init.major === wire.FUSE_MAJOR && init.minor < wire.FUSE_MINOR_MIN)) {
      throw protocolError(`the kernel speaks version ${init.major}.${init.minor}`);
    }
    const reply = negotiate(init, options);
    const message = Buffer.alloc(wire.REPLY_HEADER_SIZE + wire.INIT_REPLY_SIZE);
    wire.encodeReplyHeader(message, message.length, 0, header);
    wire.encodeInit(message, wire.REPLY_HEADER_SIZE, reply);
    writeSync(deviceFd, message);
    // A newer kernel asks again, with the version that we named.
    if (init.major > wire.FUSE_MAJOR) continue;
    return {
      noOpendir: (reply.flags & wire.INIT_NO_OPENDIR_SUPPORT) !== 0,
      passthrough: reply.maxStackDepth > 0,
      maxReadahead: reply.maxReadahead,
    };
  }
}

/** Of what the kernel offers, what helps with a file system that never changes. Exported for tests. */
export function negotiate(init: wire.InitRequest, { acl, passthrough }: HandshakeOptions): wire.InitReply {
  const wanted =
    wire.INIT_ASYNC_READ |
    wire.INIT_EXPORT_SUPPORT |
    wire.INIT_DO_READDIRPLUS |
    wire.INIT_READDIRPLUS_AUTO |
    wire.INIT_ASYNC_DIO |
    wire.INIT_PARALLEL_DIROPS |
    wire.INIT_MAX_PAGES |
    wire.INIT_CACHE_SYMLINKS |
    wire.INIT_NO_OPENDIR_SUPPORT |
    wire.INIT_EXT |
    (acl ? wire.INIT_POSIX_ACL : 0);
  const flags = wanted & init.flags;
  const flags2 = (flags & wire.INIT_EXT) !== 0 && passthrough ? wire.INIT2_PASSTHROUGH & init.flags2 : 0;
  return {
    major: wire.FUSE_MAJOR,
    minor: wire.FUSE_MINOR,
    maxReadahead: init.maxReadahead,
    flags,
    flags2,
    maxBackground: MAX_BACKGROUND,
    congestionThreshold: CONGESTION_THRESHOLD,
    maxWrite: MAX_WRITE,
    maxPages: MAX_READ_PAGES,
    maxStackDepth: flags2 === 0 ? 0 : 1,
  };
}

function readRequest(deviceFd: number, buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(deviceFd, buffer, 0, buffer.length, null);
    } catch (error) {
      if (errorCode(error) !== 'EINTR' && errorCode(error) !== 'EAGAIN') throw error;
    }
  }
}

function protocolError(reason: string): ComposefsError {
  return new ComposefsError('EPROTO', `the FUSE protocol of this kernel is not supported: ${reason}`);
}
