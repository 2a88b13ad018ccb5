import { spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import { receiveMessage, socketPair } from '../../linux/fd-passing.js';
import { findProgram } from '../../linux/find-program.js';

/** The programs with which an ordinary user mounts and unmounts FUSE (fusermount3(1)); the first that is there. */
const PROGRAMS = ['fusermount3', 'fusermount', '/bin/fusermount3', '/bin/fusermount'];

/** Not even a lazy unmount can take longer. */
const TIMEOUT_MS = 30_000;

/**
 * Mounts FUSE as an ordinary user, at a directory of that user.
 *
 * @param options as for `-o`.
 * @returns the descriptor of the device, for the server to serve. The mount is in place, and waits for it.
 * @throws ComposefsError `FUSERMOUNT_MISSING`; `FUSERMOUNT` with what the program printed; SystemError
 */
export function fusermountMount(mountPoint: Buffer, options: readonly string[]): number {
  const [ours, theirs] = socketPair('stream');
  try {
    // The program finds the socket by its number, and sends the device through it before it ends.
    runFusermount(['-o', options.join(','), '--', mountPoint.toString()], theirs);
    const [fd, ...others] = receiveMessage(ours, Buffer.alloc(1)).fds;
    for (const other of others) closeSync(other);
    if (fd === undefined) throw new ComposefsError('FUSERMOUNT', 'fusermount3 passed no file descriptor');
    return fd;
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

/**
 * Unmounts a FUSE mount of the calling user, also one whose server is gone.
 *
 * @throws ComposefsError `FUSERMOUNT_MISSING`; `FUSERMOUNT` with what the program printed.
 */
export function fusermountUnmount(mountPoint: Buffer, lazy: boolean): void {
  runFusermount(['-u', ...(lazy ? ['-z'] : []), '--', mountPoint.toString()]);
}

function runFusermount(args: readonly string[], socketFd?: number): void {
  const own = process.env['FUSERMOUNT_PATH'];
  for (const name of own === undefined ? PROGRAMS : [own]) {
    const program = findProgram(name);
    if (program === undefined) continue;
    const { status, stderr, error } = spawnSync(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...(socketFd === undefined ? [] : [socketFd])],
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', ...(socketFd !== undefined && { _FUSE_COMMFD: '3' }) },
      timeout: TIMEOUT_MS,
    });
    if (error !== undefined) throw new ComposefsError('FUSERMOUNT', `cannot run ${program}`, { cause: error });
    if (status !== 0)
      throw new ComposefsError(
        'FUSERMOUNT',
        stderr.trim().replaceAll('\n', '; ') || `${program} ended with status ${status}`,
      );
    return;
  }
  throw new ComposefsError('FUSERMOUNT_MISSING', 'an ordinary user needs fusermount3 for FUSE', {
    hint: 'install the package fuse3',
  });
}
