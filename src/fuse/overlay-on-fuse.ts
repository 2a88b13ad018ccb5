import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { overlayFsmount } from '../composefs/mount/composefs-mount.js';
import type { MountOptions, MountRestrictions } from '../composefs/mount/index.js';
import { withFd } from '../fs/files.js';
import { O_PATH } from '../linux/constants.js';
import { procPath } from '../linux/link.js';
import { fsconfigCreate, fsconfigFlag, fsconfigString, fsopen } from '../linux/mount-api.js';
import { inInitialUserNamespace } from '../system/user-namespace.js';
import { FUSE_SOURCE } from './fuse-mount.js';
import type { OverlayXattrMode } from './xattr-names.js';

export interface FuseOverlayOptions extends MountRestrictions {
  readonly overlay?: MountOptions['overlay'];
  readonly readWrite?: boolean | undefined;
  readonly xattrs: OverlayXattrMode;
  /** Let the kernel insist on fs-verity of the data files. */
  readonly verity: boolean;
}

/**
 * Joins the tree that a FUSE server shows with the data files (spec 50 §23, `mount_fuse_overlay`). The server must be
 * running: the kernel looks at the root.
 *
 * @param fuseMountFd a detached mount; stays the caller's.
 * @param objectsFd `O_PATH` is enough.
 * @returns the descriptor of a mount that is not attached anywhere.
 * @throws SystemError with what the kernel says about it.
 */
export function mountFuseOverlay(fuseMountFd: number, objectsFd: number, options: FuseOverlayOptions): number {
  const { overlay, verity } = options;
  return overlayFsmount(
    { imageMountFd: fuseMountFd, dataFds: [objectsFd], writable: overlay },
    { ...options, source: FUSE_SOURCE, verity: verity ? 'required' : 'disabled' },
  );
}

let userOverlay: boolean | undefined;

/** Whether overlayfs takes data layers with its xattrs in the `user` namespace: Linux 6.16. Asked once. */
export function userOverlaySupported(): boolean {
  userOverlay ??= probeUserOverlay();
  return userOverlay;
}

/**
 * Where overlayfs is to look for its xattrs; undefined if it cannot be used here. Needs CAP_SYS_ADMIN in any case.
 *
 * `trusted` wherever it is allowed: only then the mount shows every xattr as the kernel's mount does, and an upper layer
 * can be used with both.
 */
export function usableOverlayXattrs(): OverlayXattrMode | undefined {
  if (inInitialUserNamespace()) return 'trusted';
  return userOverlaySupported() ? 'user' : undefined;
}

function probeUserOverlay(): boolean {
  const directory = mkdtempSync(join(tmpdir(), '.composefs.'));
  const fds: number[] = [];
  try {
    for (const name of ['lower', 'data']) {
      mkdirSync(join(directory, name));
      fds.push(openSync(join(directory, name), O_PATH | constants.O_DIRECTORY));
    }
    withFd(fsopen('overlay'), (context) => {
      fsconfigFlag(context, 'userxattr');
      fsconfigString(context, 'lowerdir', fds.map(procPath).join('::'));
      fsconfigCreate(context);
    });
    return true;
  } catch {
    return false;
  } finally {
    for (const fd of fds) closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}
