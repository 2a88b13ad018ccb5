import { libcFunction } from './ffi.js';

const closeCall = libcFunction<[fd: number], number>('close', 'int', ['int']);

/**
 * Closes a descriptor that a call of the C library has opened. A worker thread of Node keeps a list of those that Node has
 * opened, and complains of a `closeSync` of any other.
 */
export function closeForeign(fd: number): void {
  closeCall(fd);
}
