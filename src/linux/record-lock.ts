import { checkCall, isSystemError } from './errno.js';
import { libcFunction } from './ffi.js';

/** `F_OFD_SETLK` and `F_RDLCK` of fcntl.h on Linux. */
const F_OFD_SETLK = 37;
const F_RDLCK = 0;

/** `struct flock` of 64-bit Linux: type u16 @0, whence u16 @2, start i64 @8, length i64 @16, pid i32 @24. */
const WHOLE_FILE = Buffer.alloc(32);
WHOLE_FILE.writeUInt16LE(F_RDLCK, 0);

const fcntl = libcFunction<[fd: number, command: number, lock: Buffer], number>('fcntl', 'int', [
  'int',
  'int',
  'void *',
]);

/**
 * Takes a read lock on a whole file (`fcntl(2)`, open file description locks), which keeps out those who want to lock it
 * for writing by `F_SETLK`, too. Unlike those it belongs to the descriptor: it ends when that is closed, and not when
 * another thread closes another descriptor of the file.
 *
 * @param fd open for reading.
 * @returns false if somebody has it locked for writing.
 * @throws SystemError
 */
export function tryReadLock(fd: number): boolean {
  try {
    checkCall(fcntl(fd, F_OFD_SETLK, WHOLE_FILE), 'fcntl', fd);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EAGAIN', 'EACCES')) return false;
    throw error;
  }
}
