/** Putting the root of a machine together from the image that its command line names (spec 50 §13.3). */

import { closeSync, constants, openSync, realpathSync } from 'node:fs';
import { mountImage } from '../../composefs/mount/mount-image.js';
import { ImageNotFoundError } from '../../composefs/repository/names/open-image.js';
import { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, findCause, withContext, withContextAsync } from '../../errors.js';
import { isErrno } from '../../fs/files.js';
import { AT_EMPTY_PATH, AT_FDCWD, O_PATH } from '../../linux/constants.js';
import { procPath } from '../../linux/link.js';
import {
  MNT_DETACH,
  moveMount,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  openTree,
  UMOUNT_NOFOLLOW,
  umount2,
} from '../../linux/mount-api.js';
import { type ImageArgument, imageArguments } from '../cmdline/composefs-argument.js';
import type { SetupRootConfig } from './config.js';
import { coverTransiently, mountDirectory, openDirectory } from './directory-mounts.js';

const CLONE = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

export interface SetupRootOptions {
  /** The physical root, with `composefs/` and `state/`; the new root is mounted over it. */
  readonly sysroot: string;
  /** The kernel command line. */
  readonly cmdline: string;
  readonly config: SetupRootConfig;
  /** A directory to take for the image, for tests. */
  readonly rootFs?: string | undefined;
  /** Gets what happened although it did not have to. */
  readonly warn: (message: string) => void;
}

/**
 * Mounts the image that the command line names over `sysroot`: read-only, with the physical root at its `/sysroot`, and
 * with `/etc` and `/var` from the state of the image, `<sysroot>/state/deploy/<digest>`.
 *
 * If anything fails, nothing is left mounted.
 *
 * @returns the image that was taken.
 * @throws ComposefsError `NO_KARG`, `NO_IMAGE`, `INVALID_KARG`, `VERITY_REQUIRED`, …; SystemError
 */
export async function setupRoot(options: SetupRootOptions): Promise<ImageArgument> {
  const { sysroot, cmdline, config } = options;
  const args = imageArguments(cmdline);
  if (args.length === 0) {
    throw new ComposefsError('NO_KARG', 'no composefs karg found in kernel cmdline', {
      hint: 'cfsctl oci prepare-boot writes an entry with composefs=… or composefs.digest=…',
    });
  }
  const open: number[] = [];
  const keep = (fd: number): number => {
    open.push(fd);
    return fd;
  };
  const mounted: string[] = [];
  try {
    const path = realpathSync(sysroot);
    const sysrootFd = keep(openSync(path, O_PATH | constants.O_DIRECTORY));
    const { rootFd, image } = await newRoot(options, args, keep);
    // Before it is covered; without what is mounted below it.
    const cloneFd = keep(openTree(sysrootFd, '', CLONE | AT_EMPTY_PATH));
    const stateFd = keep(openState(sysrootFd, image.digest));

    moveMount(rootFd, sysrootFd, '.');
    mounted.push(path);
    let topFd = rootFd;
    if (config.transientRoot) {
      topFd = keep(withContext('Mounting the root (transient)', () => coverTransiently(rootFd)));
      mounted.push(path);
    }
    attachSysroot(cloneFd, topFd);
    mountDirectory(rootFd, topFd, stateFd, 'etc', config.etc);
    mountDirectory(rootFd, topFd, stateFd, 'var', config.var);
    return image;
  } catch (error) {
    for (const path of mounted) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    throw error;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** The image of the first argument that leads to one, detached. */
async function newRoot(
  { sysroot, rootFs, warn }: SetupRootOptions,
  args: readonly ImageArgument[],
  keep: (fd: number) => number,
): Promise<{ rootFd: number; image: ImageArgument }> {
  const [first] = args;
  if (rootFs !== undefined && first !== undefined) {
    return { rootFd: keep(openTree(AT_FDCWD, rootFs, CLONE)), image: first };
  }
  for (const image of args) {
    try {
      const rootFd = await withContextAsync('Failed to mount composefs image', () => mountArgument(sysroot, image));
      return { rootFd: keep(rootFd), image };
    } catch (error) {
      if (findCause(error, ImageNotFoundError) === undefined) throw error;
      warn(`composefs: image ${image.digest} not found, trying next karg`);
    }
  }
  const tried = args.map(({ digest }) => digest).join(', ');
  throw new ComposefsError('NO_IMAGE', `no composefs image found (tried: ${tried})`, {
    hint: `is the repository at ${sysroot}/composefs the one that the boot entry was written for?`,
  });
}

async function mountArgument(sysroot: string, { algorithm, digest, insecure }: ImageArgument): Promise<number> {
  const repository = await ReadableRepository.open(`${sysroot}/composefs`, { algorithm });
  try {
    if (insecure) repository.setInsecure();
    else repository.requireVerity();
    return mountImage(repository, digest);
  } finally {
    repository.close();
  }
}

function openState(sysrootFd: number, digest: string): number {
  const path = `state/deploy/${digest}`;
  return withContext(`Opening the state of the image, ${path}`, () => openDirectory(`${procPath(sysrootFd)}/${path}`), {
    ENOENT: 'cfsctl oci prepare-boot makes it',
  });
}

/** The physical root as `/sysroot` of the new one, if that has such a directory. */
function attachSysroot(cloneFd: number, rootFd: number): void {
  try {
    moveMount(cloneFd, rootFd, 'sysroot');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
