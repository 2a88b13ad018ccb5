import { checkCall, SystemError } from './errno.js';
import { lastErrno, libcFunction, libcFunctionInBackground } from './ffi.js';

/** `struct statvfs` of 64-bit C libraries: `f_flag` is the tenth of its longs. */
const STATVFS_SIZE = 256;
const F_FLAG = 72;
const ST_RDONLY = 1n;

const fstatvfs = libcFunction<[fd: number, result: Buffer], number>('fstatvfs', 'int', ['int', 'void *']);

/**
 * Whether the file system, or the mount through which `fd` was opened, is read-only. Node's `statfs` has no flags.
 *
 * @throws SystemError
 */
export function isReadOnlyFileSystem(fd: number): boolean {
  const result = Buffer.alloc(STATVFS_SIZE);
  checkCall(fstatvfs(fd, result), 'fstatvfs', fd);
  return (result.readBigUInt64LE(F_FLAG) & ST_RDONLY) !== 0n;
}

const syncfsCall = libcFunction<[fd: number], number>('syncfs', 'int', ['int']);

/**
 * Writes everything of the file system that `fd` is on to the disk (`syncfs(2)`). Can take seconds.
 *
 * @throws SystemError
 */
export function syncfs(fd: number): void {
  checkCall(syncfsCall(fd), 'syncfs', fd);
}

/**
 * {@link syncfs} that does not block the thread. The descriptor must stay open until it is done.
 *
 * @throws SystemError
 */
export const syncfsInBackground: (fd: number) => Promise<number> = libcFunctionInBackground<[fd: number]>(
  'syncfs',
  ['int'],
  (fd) => new SystemError(lastErrno(), 'syncfs', fd),
);
