import { spawnSync } from 'node:child_process';
import { ComposefsError, errorCode } from '../../errors.js';

/** The programs with which an ordinary user mounts and unmounts FUSE (fusermount3(1)); the first that is there. */
const PROGRAMS = ['fusermount3', 'fusermount', '/bin/fusermount3', '/bin/fusermount'];

/** Not even a lazy unmount can take longer. */
const TIMEOUT_MS = 30_000;

/**
 * Unmounts a FUSE mount of the calling user, also one whose server is gone.
 *
 * @throws ComposefsError `FUSERMOUNT_MISSING`; `FUSERMOUNT` with what the program printed.
 */
export function fusermountUnmount(mountPoint: Buffer, lazy: boolean): void {
  const args = ['-u', ...(lazy ? ['-z'] : []), '--'];
  const own = process.env['FUSERMOUNT_PATH'];
  for (const program of own === undefined ? PROGRAMS : [own]) {
    const { status, stderr, error } = spawnSync(program, [...args, mountPoint.toString()], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      timeout: TIMEOUT_MS,
    });
    if (errorCode(error) === 'ENOENT') continue;
    if (error !== undefined) throw new ComposefsError('FUSERMOUNT', `cannot run ${program}`, { cause: error });
    if (status !== 0) throw new ComposefsError('FUSERMOUNT', stderr.trim() || `${program} ended with status ${status}`);
    return;
  }
  throw new ComposefsError('FUSERMOUNT_MISSING', 'an ordinary user needs fusermount3 to unmount FUSE', {
    hint: 'install the package fuse3',
  });
}
