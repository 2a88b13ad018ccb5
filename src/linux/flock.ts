import { checkCall, isSystemError } from './errno.js';
import { libcFunction } from './ffi.js';

export type LockMode = 'shared' | 'exclusive' | 'unlock';

/** `LOCK_*` of sys/file.h. */
const OPERATIONS: Readonly<Record<LockMode, number>> = { shared: 1, exclusive: 2, unlock: 8 };
const LOCK_NB = 4;

const flockCall = libcFunction<[fd: number, operation: number], number>('flock', 'int', ['int', 'int']);

/**
 * Takes, converts or gives up an advisory lock (`flock(2)`) without waiting. A conversion that fails may have lost the
 * lock that was held before.
 *
 * @returns false if another holder is in the way.
 * @throws SystemError
 */
export function tryFlock(fd: number, mode: LockMode): boolean {
  try {
    checkCall(flockCall(fd, OPERATIONS[mode] | LOCK_NB), 'flock', fd);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EAGAIN')) return false;
    throw error;
  }
}
