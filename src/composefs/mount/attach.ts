import { constants, mkdtempSync, openSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFd } from '../../fs/files.js';
import { AT_FDCWD, O_PATH } from '../../linux/constants.js';
import { MNT_DETACH, moveMount, umount2 } from '../../linux/mount-api.js';

/**
 * Attaches a detached mount at a directory (or file) that exists. A symlink at the end of `path` is not followed.
 *
 * @param dirFd what `path` is relative to; `AT_FDCWD` for the current directory.
 * @throws SystemError
 */
export function mountAt(mountFd: number, dirFd: number, path: string | Buffer): void {
  moveMount(mountFd, dirFd, path);
}

/**
 * Attaches a detached mount at `path`, symlinks followed, and closes `mountFd` in any case: after a failure nothing is
 * left of the mount.
 *
 * @throws SystemError; the errors of `realpath(3)`
 */
export function attachAndClose(mountFd: number, path: string): void {
  withFd(mountFd, () => mountAt(mountFd, AT_FDCWD, realpathSync(path)));
}

/**
 * Attaches a mount to a temporary directory while `action` runs: kernels before 6.15 do not take detached mounts as
 * layers of an overlay (spec 50 §17).
 *
 * @param action gets an `O_PATH` descriptor of the mount's root.
 */
export function withTemporaryAttachment<T>(mountFd: number, action: (rootFd: number) => T): T {
  const directory = mkdtempSync(join(tmpdir(), '.composefs.'));
  try {
    moveMount(mountFd, AT_FDCWD, directory);
    try {
      return withFd(openSync(directory, O_PATH | constants.O_DIRECTORY), action);
    } finally {
      umount2(directory, MNT_DETACH);
    }
  } finally {
    rmdirSync(directory);
  }
}
