import { setTimeout } from 'node:timers/promises';
import { checkCall, isSystemError } from './errno.js';
import { libcFunction } from './ffi.js';

export type LockMode = 'shared' | 'exclusive' | 'unlock';

/** `LOCK_*` of sys/file.h. */
const OPERATIONS: Readonly<Record<LockMode, number>> = { shared: 1, exclusive: 2, unlock: 8 };
const LOCK_NB = 4;

/** Milliseconds between two attempts, at most. */
const LONGEST_PAUSE = 10;

const flockCall = libcFunction<[fd: number, operation: number], number>('flock', 'int', ['int', 'int']);

/**
 * Takes, converts or gives up an advisory lock (`flock(2)`), waiting as long as it takes.
 *
 * It asks again and again rather than in a blocked thread: those of the thread pool are few, and the holder of the
 * lock, perhaps in this very process, may need them to come to its end.
 *
 * @throws SystemError
 * @throws AbortError by `signal`.
 */
export async function flock(fd: number, mode: LockMode, signal?: AbortSignal): Promise<void> {
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    signal?.throwIfAborted();
    if (tryFlock(fd, mode)) return;
    await setTimeout(pause, undefined, signal === undefined ? {} : { signal });
  }
}

/**
 * {@link flock} without waiting. A conversion that fails may have lost the lock that was held before.
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
