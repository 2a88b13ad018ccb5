import { statSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import { withFd } from '../../fs/files.js';
import { attachAndClose } from './attach.js';
import { composefsFsmount } from './composefs-mount.js';
import { Mount, mountPath } from './mount-handle.js';
import type { MountOptions } from './options.js';

/** What mounting needs of a repository. */
export interface MountableRepository {
  /** An `O_PATH` descriptor of `objects/`, which the caller closes. */
  openObjectsDirectory(): number;
  /** The image file, and whether its data files must have fs-verity (spec 50 §18). */
  openImage(name: string): { readonly fd: number; readonly enableVerity: boolean };
}

/**
 * Mounts an image of a repository (spec 50 §18).
 *
 * @param name a digest, or the name of a reference.
 * @returns the descriptor of a mount that is not attached anywhere; closing it undoes the mount.
 * @throws ImageNotFoundError; SystemError
 */
export function mountImage(repository: MountableRepository, name: string, options: MountOptions = {}): number {
  const { fd: imageFd, enableVerity } = repository.openImage(name);
  return withFd(imageFd, () =>
    withFd(repository.openObjectsDirectory(), (objectsFd) =>
      composefsFsmount(imageFd, name, [objectsFd], enableVerity ? 'required' : 'disabled', options),
    ),
  );
}

/**
 * {@link mountImage}, attached at a directory that exists; symlinks in `path` are followed.
 *
 * @throws ImageNotFoundError; ComposefsError `ENOTDIR`; SystemError; the errors of `stat(2)` and `realpath(3)`
 */
export function mountImageAt(
  repository: MountableRepository,
  name: string,
  path: string,
  options: MountOptions = {},
): Mount {
  if (!statSync(path).isDirectory()) throw new ComposefsError('ENOTDIR', `${path} is not a directory`);
  const mount = new Mount(mountPath(path));
  attachAndClose(mountImage(repository, name, options), path);
  return mount;
}
