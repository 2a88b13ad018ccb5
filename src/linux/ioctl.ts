import { checkCall } from './errno.js';
import { libcFunction } from './ffi.js';

const ioctlPointer = libcFunction<[fd: number, request: number, argument: Uint8Array], number>('ioctl', 'int', [
  'int',
  'unsigned long',
  'void *',
]);
const ioctlInteger = libcFunction<[fd: number, request: number, argument: number], number>('ioctl', 'int', [
  'int',
  'unsigned long',
  'long',
]);

/**
 * `ioctl(2)`.
 *
 * @param argument a structure, which the kernel may change, or an integer.
 * @param name of the request, for errors.
 * @throws SystemError
 */
export function ioctl(fd: number, request: number, argument: Uint8Array | number, name: string): number {
  const result =
    typeof argument === 'number' ? ioctlInteger(fd, request, argument) : ioctlPointer(fd, request, argument);
  return checkCall(result, name, fd);
}

/** `_IOW(0x94, 9, int)`: linux/fs.h. */
const FICLONE = 0x40049409;

/**
 * Makes `destFd` share all blocks of `sourceFd` (`ioctl_ficlone(2)`): a copy that takes no time and no space.
 *
 * @throws SystemError EOPNOTSUPP or EXDEV where the file systems cannot.
 */
export function ficlone(destFd: number, sourceFd: number): void {
  ioctl(destFd, FICLONE, sourceFd, 'FICLONE');
}
