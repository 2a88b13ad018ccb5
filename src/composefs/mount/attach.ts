import { realpathSync } from 'node:fs';
import { withFd } from '../../fs/files.js';
import { AT_FDCWD } from '../../linux/constants.js';
import { moveMount } from '../../linux/mount-api.js';

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
