import { libcFunction } from './ffi.js';

const exitCall = libcFunction<[status: number], void>('_exit', 'void', ['int']);

/**
 * Ends the process at once (`_exit(2)`). `process.exit` waits for its worker threads, and so for ever for one that is
 * blocked in a system call.
 */
export function exitNow(status: number): void {
  exitCall(status);
}
