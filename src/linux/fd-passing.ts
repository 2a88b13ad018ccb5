import { closeSync } from 'node:fs';
import { ComposefsError } from '../errors.js';
import { checkCall } from './errno.js';
import { addressOf, libcFunction } from './ffi.js';

/** sys/socket.h of Linux, the same on x64 and arm64. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** `struct msghdr`, `struct iovec` and `struct cmsghdr` of 64-bit C libraries. */
const MSGHDR_SIZE = 56;
const IOVEC_SIZE = 16;
const CMSGHDR_SIZE = 16;

/** Descriptors taken from one message; what is beyond is closed by the kernel, and an error here. */
const MAX_FDS = 16;

const socketpair = libcFunction<[domain: number, type: number, protocol: number, fds: Buffer], number>(
  'socketpair',
  'int',
  ['int', 'int', 'int', 'void *'],
);
const recvmsg = libcFunction<[fd: number, message: Buffer, flags: number], number>('recvmsg', 'long', [
  'int',
  'void *',
  'int',
]);

/**
 * Two connected Unix sockets, which other processes inherit only where they are handed over on purpose.
 *
 * @param type `seqpacket` keeps the bounds of messages.
 * @throws SystemError
 */
export function socketPair(type: 'stream' | 'seqpacket'): readonly [number, number] {
  const fds = Buffer.alloc(8);
  const kind = type === 'stream' ? SOCK_STREAM : SOCK_SEQPACKET;
  checkCall(socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, fds), 'socketpair', type);
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

export interface ReceivedMessage {
  /** Bytes of the message, 0 at the end of the stream. */
  readonly size: number;
  /** Closed by the caller. */
  readonly fds: readonly number[];
}

/**
 * Reads from a Unix socket with the descriptors that come along (`unix(7)`, `SCM_RIGHTS`).
 *
 * @param target takes the bytes; at least one.
 * @param options with `wait` it blocks until there is something.
 * @throws SystemError `EAGAIN` if there is nothing; ComposefsError `TOO_MANY_FDS` with more than 16 descriptors.
 */
export function receiveMessage(
  socketFd: number,
  target: Uint8Array,
  options: { readonly wait?: boolean } = {},
): ReceivedMessage {
  const control = Buffer.alloc(CMSGHDR_SIZE + 4 * MAX_FDS);
  // struct iovec: iov_base @0, iov_len @8.
  const vector = Buffer.alloc(IOVEC_SIZE);
  vector.writeBigUInt64LE(addressOf(target), 0);
  vector.writeBigUInt64LE(BigInt(target.length), 8);
  // struct msghdr: msg_iov @16, msg_iovlen @24, msg_control @32, msg_controllen @40, msg_flags @48.
  const message = Buffer.alloc(MSGHDR_SIZE);
  message.writeBigUInt64LE(addressOf(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(addressOf(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const flags = MSG_CMSG_CLOEXEC | (options.wait === true ? 0 : MSG_DONTWAIT);
  const size = checkCall(recvmsg(socketFd, message, flags), 'recvmsg', socketFd);
  const fds = passedFds(control.subarray(0, Number(message.readBigUInt64LE(40))));
  if ((message.readInt32LE(48) & MSG_CTRUNC) !== 0) {
    for (const fd of fds) closeSync(fd);
    throw new ComposefsError('TOO_MANY_FDS', `a message came with more than ${MAX_FDS} file descriptors`);
  }
  return { size, fds };
}

/** `struct cmsghdr`: cmsg_len u64 @0, cmsg_level @8, cmsg_type @12, descriptors from 16. Nothing else was asked for. */
function passedFds(control: Buffer): number[] {
  if (control.length < CMSGHDR_SIZE) return [];
  if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) return [];
  const end = Math.min(Number(control.readBigUInt64LE(0)), control.length);
  const fds: number[] = [];
  for (let at = CMSGHDR_SIZE; at + 4 <= end; at += 4) fds.push(control.readInt32LE(at));
  return fds;
}
