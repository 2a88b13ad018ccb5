import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from './constants.js';
import { checkCall } from './errno.js';
import { cString, libcFunction } from './ffi.js';

const utimensat = libcFunction<[dirFd: number, path: Buffer, times: Buffer, flags: number], number>(
  'utimensat',
  'int',
  ['int', 'const void *', 'const void *', 'int'],
);

/**
 * Sets the time of the content, to the nanosecond, which Node's numbers cannot; of a symlink itself. The time of access
 * becomes the same.
 *
 * @param seconds since the epoch, may be negative.
 * @throws SystemError
 */
export function setModificationTime(path: Buffer | string, seconds: number, nanoseconds: number): void {
  // struct timespec[2] on machines of 64 bits: seconds i64 @0, nanoseconds i64 @8.
  const times = Buffer.alloc(32);
  for (const at of [0, 16]) {
    times.writeBigInt64LE(BigInt(seconds), at);
    times.writeBigInt64LE(BigInt(nanoseconds), at + 8);
  }
  checkCall(utimensat(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}
