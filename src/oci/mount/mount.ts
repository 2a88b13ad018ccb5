import type { Mount } from '../../composefs/mount/mount-handle.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { type MountEitherOptions, mountEither } from '../../fuse/mount-either.js';
import { findMountable } from '../store/find-mountable.js';
import { OciImage } from '../store/image.js';

export interface MountOptions extends MountEitherOptions {
  /** The boot image in place of the plain one. */
  readonly bootable?: boolean | undefined;
  /**
   * Let device nodes not be opened. Default true of a container image: of one that is no root file system nobody needs
   * them, and its author could have put any there.
   */
  readonly nodev?: boolean | undefined;
}

/**
 * Mounts a stored image with the kernel or through FUSE, whichever works. The mount outlives this process and the open
 * repository; `await using` undoes it.
 *
 * @param image an image; its tag; the digest of its manifest or config, or the first 8 digits of one; or an EROFS image by
 *   its id, the first 8 digits of it, or the name of its reference.
 * @param path a directory; symlinks are followed.
 * @throws OciRefNotFound, OciErofsNotFound; ComposefsError `NOT_A_CONTAINER_IMAGE`; what mounting throws.
 */
export async function mount(
  repo: ReadableRepository,
  image: OciImage | string,
  path: string,
  { bootable = false, ...options }: MountOptions = {},
): Promise<Mount> {
  const stored = image instanceof OciImage ? image : await findMountable(repo, image, 'oci');
  if (typeof stored === 'string') return await mountEither(repo, stored, path, options);
  const id = stored.erofsImageRef(repo, bootable);
  return await mountEither(repo, id, path, { ...options, nodev: options.nodev ?? true });
}
