import { closeSync, constants, openSync } from 'node:fs';
import { byteStringToBuffer } from '../bytes/byte-string.js';
import { fusermountMount, fusermountUnmount } from '../composefs/mount/fusermount.js';
import { type MountRestrictions, RESTRICTIONS, restrictionAttributes } from '../composefs/mount/options.js';
import { withFd } from '../fs/files.js';
import { AT_FDCWD, O_PATH } from '../linux/constants.js';
import { isSystemError } from '../linux/errno.js';
import { openFuseDevice } from '../linux/fuse-device.js';
import {
  fsconfigCreate,
  fsconfigFlag,
  fsconfigString,
  fsmount,
  fsopen,
  MNT_DETACH,
  moveMount,
  UMOUNT_NOFOLLOW,
  umount2,
} from '../linux/mount-api.js';
import { hasCapability } from '../linux/process.js';
import { mountIdOf, readMountInfo, visibleMountAt } from '../system/mount-info.js';

/** What the mount table shows as the source: `isComposefsMount` knows it. */
export const FUSE_SOURCE = 'composefs-fuse';

/** A mount that is in place. `id` is its number in the mount table, wherever it is moved to. */
export interface AttachedMount {
  readonly id: number;
}

/** A device that is mounted, or ready to be, but that nobody serves yet. */
export interface FuseDevice {
  /** Read requests from and write replies to it. */
  readonly deviceFd: number;
  /** Detached; undefined if `fusermount3` mounted it, which attaches at once. */
  readonly mountFd: number | undefined;
}

/** A mount by the kernel's own calls, which needs CAP_SYS_ADMIN, else by `fusermount3`. */
export function canMountItself(): boolean {
  return hasCapability('CAP_SYS_ADMIN');
}

/**
 * A FUSE mount that is not attached anywhere (spec 50 §23). The first request, INIT, waits in the device.
 *
 * @param allowOther others than the mounting user may use it, as far as the modes of the files allow.
 * @throws SystemError with what the kernel says about it; errors of `open(2)`
 */
export function mountDetachedFuse(allowOther: boolean, restrictions: MountRestrictions = {}): FuseDevice {
  const deviceFd = openFuseDevice();
  try {
    const mountFd = withFd(fsopen('fuse'), (context) => {
      fsconfigFlag(context, 'ro');
      fsconfigFlag(context, 'default_permissions');
      if (allowOther) fsconfigFlag(context, 'allow_other');
      fsconfigString(context, 'source', FUSE_SOURCE);
      fsconfigString(context, 'rootmode', '040555');
      fsconfigString(context, 'user_id', String(process.geteuid?.() ?? 0));
      fsconfigString(context, 'group_id', String(process.getegid?.() ?? 0));
      fsconfigString(context, 'fd', String(deviceFd));
      fsconfigCreate(context);
      return fsmount(context, restrictionAttributes(restrictions));
    });
    return { deviceFd, mountFd };
  } catch (error) {
    closeSync(deviceFd);
    throw error;
  }
}

/**
 * A FUSE mount of an ordinary user, in place at once.
 *
 * @param mountPoint a path without symlinks.
 * @throws ComposefsError `FUSERMOUNT_MISSING`, `FUSERMOUNT`
 */
export function mountUserFuse(
  mountPoint: Buffer,
  allowOther: boolean,
  restrictions: MountRestrictions = {},
): FuseDevice {
  const options = ['ro', 'default_permissions', `fsname=${FUSE_SOURCE}`, ...(allowOther ? ['allow_other'] : [])];
  // The program restricts set-user-id bits and devices by itself.
  options.push(...RESTRICTIONS.filter((name) => restrictions[name] === true));
  return { deviceFd: fusermountMount(mountPoint, options), mountFd: undefined };
}

/** Attaches a detached mount, which stays the caller's. @throws SystemError */
export function attach(mountFd: number, mountPoint: Buffer): AttachedMount {
  const id = mountIdOf(mountFd);
  moveMount(mountFd, AT_FDCWD, mountPoint);
  return { id };
}

/** The topmost mount at a path, whose server must be running. */
export function attachedAt(mountPoint: Buffer): AttachedMount {
  return withFd(openSync(mountPoint, O_PATH | constants.O_DIRECTORY), (fd) => ({ id: mountIdOf(fd) }));
}

/**
 * Unmounts. If it is in use it is detached, and lives on for those who use it.
 *
 * Does nothing if it is gone already, or covered by another mount: that can only be unmounted first.
 *
 * @throws SystemError; ComposefsError `FUSERMOUNT`
 */
export function detach({ id }: AttachedMount): void {
  const mounts = readMountInfo();
  const mount = mounts.find((candidate) => candidate.id === id);
  if (mount === undefined || visibleMountAt(mounts, mount.mountPoint)?.id !== id) return;
  const path = byteStringToBuffer(mount.mountPoint);
  try {
    umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH);
  } catch (error) {
    if (!isSystemError(error, 'EPERM')) throw error;
    fusermountUnmount(path, true);
  }
}
