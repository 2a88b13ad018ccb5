import { checkCall } from './errno.js';
import { libcFunction } from './ffi.js';

/** fcntl.h, the same on all architectures. */
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;

const fcntl = libcFunction<[fd: number, command: number, argument: number], number>('fcntl', 'int', [
  'int',
  'int',
  'int',
]);

/**
 * A second descriptor for what a descriptor stands for, closed on its own.
 *
 * Unlike those of `node:fs`, Node does not note it as something to close when the worker thread ends, so that it can be
 * given to a stream, which closes it, without its number being closed once more when it is somebody else's.
 *
 * @throws SystemError
 */
export function duplicateFd(fd: number): number {
  return checkCall(fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl F_DUPFD_CLOEXEC', fd);
}

/** Lets a pipe hold about as many bytes, if the system allows that; fewer switches between writer and reader. */
export function growPipe(fd: number, bytes: number): void {
  fcntl(fd, F_SETPIPE_SZ, bytes);
}
