import { constants, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFd } from '../../fs/files.js';
import { AT_FDCWD, O_PATH } from '../../linux/constants.js';
import { MNT_DETACH, moveMount, umount2 } from '../../linux/mount-api.js';

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
