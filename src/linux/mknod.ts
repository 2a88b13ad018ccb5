import { checkCall } from './errno.js';
import { cString, libcFunction } from './ffi.js';

const mknod = libcFunction<[path: Buffer, mode: number, device: number], number>('mknod', 'int', [
  'const void *',
  'unsigned int',
  'uint64_t',
]);

/**
 * Makes a device node, FIFO or socket.
 *
 * @param mode type and permission bits; subject to the umask.
 * @param device `st_rdev` of a device, else 0.
 * @throws SystemError EPERM for devices other than 0:0 without CAP_MKNOD.
 */
export function makeNode(path: Buffer | string, mode: number, device: number): void {
  checkCall(mknod(cString(path), mode, device), 'mknod', path);
}
