import { checkCall } from './errno.js';
import { libcFunction } from './ffi.js';

const syncfsCall = libcFunction<[fd: number], number>('syncfs', 'int', ['int']);

/**
 * Writes everything of the file system that `fd` is on to the disk (`syncfs(2)`). Can take seconds.
 *
 * @throws SystemError
 */
export function syncfs(fd: number): void {
  checkCall(syncfsCall(fd), 'syncfs', fd);
}
