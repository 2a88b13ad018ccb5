import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ComposefsError } from '../errors.js';
import { type LockHolder, lockHolders } from '../linux/file-locks.js';
import { findProgram } from '../linux/find-program.js';
import { type LockMode, tryFlock } from '../linux/flock.js';
import { isErrno } from './files.js';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;
/** Who waits longer is told for whom. */
const PATIENCE_MS = 1000;

export interface WaitOptions {
  /** Stops waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Told once, after a second, who has the lock, as far as that is known. */
  readonly onWait?: ((holders: readonly LockHolder[]) => void) | undefined;
}

/**
 * Takes, converts or drops the lock of an open directory; waits until it can be had or `signal` aborts.
 *
 * Where the C library cannot be called the program `flock` of util-linux does it: the lock belongs to the open file
 * description, which the program inherits, and stays when the program ends.
 */
export async function waitForFlock(fd: number, mode: LockMode, options: WaitOptions = {}): Promise<void> {
  const { signal, onWait } = options;
  const begun = performance.now();
  let isTold = onWait === undefined;
  try {
    for (let pause = FIRST_PAUSE_MS; !tryFlock(fd, mode); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await sleep(pause, undefined, signal === undefined ? {} : { signal });
      if (isTold || performance.now() - begun < PATIENCE_MS) continue;
      isTold = true;
      onWait?.(lockHolders(fd));
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
