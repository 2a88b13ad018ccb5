import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ComposefsError } from '../../../errors.js';
import { isErrno } from '../../../fs/files.js';
import { findProgram } from '../../../linux/find-program.js';
import { type LockMode, tryFlock } from '../../../linux/flock.js';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/**
 * Takes, converts or drops the lock of an open directory; waits until it can be had or `signal` aborts.
 *
 * Where the C library cannot be called the program `flock` of util-linux does it: the lock belongs to the open file
 * description, which the program inherits, and stays when the program ends.
 */
export async function waitForFlock(fd: number, mode: LockMode, signal?: AbortSignal): Promise<void> {
  try {
    for (let pause = FIRST_PAUSE_MS; !tryFlock(fd, mode); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await sleep(pause, undefined, signal === undefined ? {} : { signal });
    }
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (!isErrno(error, 'FFI_UNAVAILABLE')) throw error;
    await runFlock(fd, mode, error);
  }
}

function runFlock(fd: number, mode: LockMode, reason: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (detail: string): void =>
      reject(new ComposefsError('LOCK_FAILED', `cannot lock the repository: ${detail}`, { cause: reason }));
    const program = findProgram('flock');
    if (program === undefined) return fail('the program flock of util-linux is not installed');
    const child = spawn(program, [`--${mode}`, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.on('error', (error) => fail(error.message));
    child.on('exit', (status, killer) => (status === 0 ? resolve() : fail(`flock ended with ${status ?? killer}`)));
  });
}
