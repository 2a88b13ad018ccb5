import { readFileSync } from 'node:fs';
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

/**
 * Whether the lock of a descriptor is the only one on its file, as far as the kernel tells: it lists no locks of other
 * PID namespaces. False where it lists none, or where somebody waits for one.
 */
export function isOnlyLockHolder(fd: number): boolean {
  let own: string;
  let all: string;
  try {
    own = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    all = readFileSync('/proc/locks', 'latin1');
  } catch {
    return false;
  }
  // "lock:\t1: FLOCK  ADVISORY  READ 2315 fe:00:246947 0 EOF"; one that waits has "->" before FLOCK.
  const file = /^lock:.* FLOCK .* ([0-9a-f]+:[0-9a-f]+:[0-9]+) 0 EOF$/m.exec(own)?.[1];
  return file !== undefined && all.split('\n').filter((line) => line.includes(` ${file} `)).length === 1;
}
