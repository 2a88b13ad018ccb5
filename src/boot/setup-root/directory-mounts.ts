import { fsopen } from '../../linux/mount-api.js';
/** The directories of a new root that can be written: bind mounts and overlays (spec 50 §13.4). */

import { constants, fchmodSync, mkdirSync, openSync } from 'node:fs';
import { withTemporaryAttachment } from '../../composefs/mount/attach.js';
import { mayNotKnowFds } from '../../composefs/mount/overlay-layers.js';
import { withContext } from '../../errors.js';
import { closeOnError, isErrno, withFd } from '../../fs/files.js';
import { O_PATH } from '../../linux/constants.js';
import { procPath } from '../../linux/link.js';
import {
  fsconfigCreate,
  fsconfigFd,
  fsconfigString,
  fsmount,
  moveMount,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  openTree,
} from '../../linux/mount-api.js';
import type { DirectoryMount } from './config.js';

/**
 * Mounts a directory of the new root.
 *
 * @param imageFd root of the image, which is attached: overlays can be stacked only so deep, and what covers the whole
 *   root is one already.
 * @param rootFd of the root to mount it in: the image, or what covers it.
 * @param stateFd of the directory with the state of the image.
 * @param name `etc` or `var`.
 */
export function mountDirectory(
  imageFd: number,
  rootFd: number,
  stateFd: number,
  name: string,
  kind: DirectoryMount,
): void {
  if (kind === 'none') return;
  withContext(`Mounting /${name} (${kind})`, () => {
    withFd(openDirectory(`${procPath(rootFd)}/${name}`), (targetFd) => {
      withFd(mountFor(imageFd, stateFd, name, kind), (mountFd) => moveMount(mountFd, targetFd, '.'));
    });
  });
}

/** Covers an attached mount with an overlay whose changes are in memory; returns the overlay's root. */
export function coverTransiently(baseFd: number): number {
  const mountFd = transientOverlay(baseFd);
  return closeOnError(mountFd, () => {
    moveMount(mountFd, baseFd, '.');
    return mountFd;
  });
}

/** What is to be mounted, detached. */
function mountFor(imageFd: number, stateFd: number, name: string, kind: Exclude<DirectoryMount, 'none'>): number {
  if (kind === 'bind') return openTree(stateFd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  return withFd(openDirectory(`${procPath(imageFd)}/${name}`), (baseFd) => {
    if (kind === 'transient') return transientOverlay(baseFd);
    return withFd(openDirectory(`${procPath(stateFd)}/${name}`), (fd) => writableOverlay(baseFd, fd, 'overlay'));
  });
}

/** An overlay whose changes are on a file system in memory that nothing else sees. */
function transientOverlay(baseFd: number): number {
  const tmpfsFd = withFd(fsopen('tmpfs'), (context) => {
    fsconfigString(context, 'source', 'transient');
    fsconfigCreate(context);
    return fsmount(context, 0);
  });
  return withFd(tmpfsFd, () =>
    // Overlayfs has a mount of its own of what it is given, which outlives this attachment.
    withTemporaryAttachment(tmpfsFd, (stateFd) => writableOverlay(baseFd, stateFd, 'transient')),
  );
}

/** An overlay of a directory whose changes are in `upper` of a state directory. */
function writableOverlay(baseFd: number, stateFd: number, source: string): number {
  // The merged directory takes its mode from `upper`: with 0700 nobody but root could read /etc.
  return withFd(ensureDirectory(stateFd, 'upper', 0o755), (upperdir) =>
    withFd(ensureDirectory(stateFd, 'work', 0o700), (workdir) =>
      overlayOf(source, { lowerdir: baseFd, upperdir, workdir }),
    ),
  );
}

/** By descriptors, of which the mount table makes paths, or by paths through `/proc` for older kernels. */
function overlayOf(source: string, layers: { lowerdir: number; upperdir: number; workdir: number }): number {
  const mount = (configure: (context: number) => void): number =>
    withFd(fsopen('overlay'), (context) => {
      fsconfigString(context, 'source', source);
      configure(context);
      fsconfigCreate(context);
      return fsmount(context, 0);
    });
  try {
    return mount((context) => {
      fsconfigFd(context, 'workdir', layers.workdir);
      fsconfigFd(context, 'upperdir', layers.upperdir);
      fsconfigFd(context, 'lowerdir+', layers.lowerdir);
    });
  } catch (error) {
    if (!mayNotKnowFds(error)) throw error;
  }
  return mount((context) => {
    fsconfigString(context, 'workdir', procPath(layers.workdir));
    fsconfigString(context, 'upperdir', procPath(layers.upperdir));
    fsconfigString(context, 'lowerdir', procPath(layers.lowerdir));
  });
}

/** Makes the directory with exactly this mode, unless it is there. */
function ensureDirectory(parentFd: number, name: string, mode: number): number {
  const path = `${procPath(parentFd)}/${name}`;
  try {
    withContext(`Making the directory ${name} for the overlay`, () => mkdirSync(path, { mode }), {
      EROFS: 'mount the physical root writable: `rw` on the kernel command line',
    });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    return openDirectory(path);
  }
  withFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW), (fd) =>
    fchmodSync(fd, mode),
  );
  return openDirectory(path);
}

/** A directory, and no symlink. */
export function openDirectory(path: string): number {
  return openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
