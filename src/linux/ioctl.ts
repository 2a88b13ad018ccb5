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
