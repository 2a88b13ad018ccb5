import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type ByteString,
  byteStringFrom,
  byteStringFromText,
  byteStringToBuffer,
  byteStringToText,
} from '../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../errors.js';
import { isSystemError } from '../../linux/errno.js';
import { MNT_DETACH, UMOUNT_NOFOLLOW, umount2 } from '../../linux/mount-api.js';
import { type MountInfo, mountsBelow, readMountInfo, visibleMountAt } from '../../system/mount-info.js';
import { processesUsing } from '../../system/processes.js';
import { imageLayerOf, isComposefsFuse, isComposefsMount } from './composefs-mounts.js';
import { fusermountUnmount } from './fusermount.js';

/** How a mount is taken away. */
export interface UnmountOptions {
  /** Detach it now, also while it is in use; what uses it keeps it until it is done. */
  readonly lazy?: boolean | undefined;
}

/** How many users of a busy mount an error names. */
const MAX_USERS_NAMED = 5;

/**
 * Undoes the topmost composefs mount at `path`: the overlay, and the tree below it where that is mounted on its own. A
 * FUSE server ends when the last use of its mount does. Also clears what a crashed server has left.
 *
 * Nothing is asked of the mounted file system: a server that does not answer is no obstacle.
 *
 * @throws ComposefsError `NOT_MOUNTED`, `NOT_COMPOSEFS`, `EBUSY`, `EPERM`; SystemError
 */
export function unmountImage(path: string, options: UnmountOptions = {}): void {
  const mounts = readMountInfo();
  const mount = findMount(mounts, path);
  if (mount === undefined) {
    throw new ComposefsError('NOT_MOUNTED', `${path} is not a mount point`, {
      hint: 'findmnt shows what is mounted; a mount made inside of `cfsctl unshare` is only seen there',
    });
  }
  if (!isComposefsMount(mount)) {
    const what = `${byteStringToText(mount.fsType)}, mounted from '${byteStringToText(mount.source)}'`;
    throw new ComposefsError('NOT_COMPOSEFS', `${path} is not a composefs mount: it is ${what}`, {
      hint: 'umount(8) unmounts anything',
    });
  }
  unmount(mounts, mount, options);
  const layer = ownLayer(readMountInfo(), mount);
  if (layer !== undefined) unmount(mounts, layer, options);
}

/** The mount at a path, without a look at the mounted file system if the path leads to it without a symlink. */
function findMount(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  const absolute = resolve(path);
  const parent = withContext(`Resolving ${path}`, () => realpathSync(dirname(absolute)));
  const direct = visibleMountAt(mounts, byteStringFromText(join(parent, basename(absolute))));
  if (direct !== undefined) return direct;
  const target = withContext(`Resolving ${path}`, () => realpathSync.native(absolute, 'buffer'));
  return visibleMountAt(mounts, byteStringFrom(target));
}

/** The tree of an overlay that is gone, if it is still mounted and no other overlay needs it. */
function ownLayer(mounts: readonly MountInfo[], overlay: MountInfo): MountInfo | undefined {
  const path = overlay.fsType === 'overlay' ? imageLayerOf(overlay) : undefined;
  if (path === undefined) return undefined;
  const layer = visibleMountAt(mounts, path);
  if (layer === undefined || !(layer.fsType === 'erofs' || isComposefsFuse(layer))) return undefined;
  return mounts.some((other) => other.fsType === 'overlay' && imageLayerOf(other) === path) ? undefined : layer;
}

function unmount(mounts: readonly MountInfo[], mount: MountInfo, { lazy = false }: UnmountOptions): void {
  const path = byteStringToBuffer(mount.mountPoint);
  try {
    umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
  } catch (error) {
    if (isSystemError(error, 'EBUSY')) throw busyError(mounts, mount.mountPoint, error);
    if (!isSystemError(error, 'EPERM')) throw error;
    if (!isComposefsFuse(mount)) throw notAllowedError(mount, error);
    unmountAsUser(mounts, mount, lazy);
  }
}

function unmountAsUser(mounts: readonly MountInfo[], mount: MountInfo, lazy: boolean): void {
  try {
    fusermountUnmount(byteStringToBuffer(mount.mountPoint), lazy);
  } catch (error) {
    // Its exit status is the same for everything; what it prints in a fixed language is strerror(3).
    if (error instanceof Error && /Device or resource busy/.test(error.message)) {
      throw busyError(mounts, mount.mountPoint, error);
    }
    throw error;
  }
}

function busyError(mounts: readonly MountInfo[], mountPoint: ByteString, cause: unknown): ComposefsError {
  const uses = [
    ...mountsBelow(mounts, mountPoint).map((mount) => `a mount at ${byteStringToText(mount.mountPoint)}`),
    ...processesUsing(mountPoint, MAX_USERS_NAMED + 1).map(({ pid, name, how }) => `${name} (process ${pid}, ${how})`),
  ];
  const named = uses.slice(0, MAX_USERS_NAMED).join(', ') + (uses.length > MAX_USERS_NAMED ? ' and others' : '');
  const by = uses.length === 0 ? 'by something that this user cannot see' : `by ${named}`;
  return new ComposefsError('EBUSY', `${byteStringToText(mountPoint)} is in use ${by}`, {
    cause,
    hint: 'end what uses it; or --lazy detaches it now, and it goes away with its last user',
  });
}

function notAllowedError(mount: MountInfo, cause: unknown): ComposefsError {
  return new ComposefsError('EPERM', `${byteStringToText(mount.mountPoint)} was mounted by the kernel for root`, {
    cause,
    hint: 'unmount it as root, or inside of the `cfsctl unshare` in which it was mounted',
  });
}
