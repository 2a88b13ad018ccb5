import type { ObjectId, ReadableRepository } from '../../composefs/index.js';
import { ComposefsError, withContext } from '../../errors.js';
import { findMountable, isDigestText, type Mountable, type OciImage, parseOciDigest } from '../../index.js';
import type { Context } from '../context/context.js';
import { mountFlags, type OciMountOptions } from '../context/mount-options.js';
import { withReadableRepository } from '../context/open-repository.js';
import { mountAt } from './mount-at.js';

export async function ociMount(
  context: Context,
  name: string,
  mountpoint: string,
  options: OciMountOptions,
): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    if (name.startsWith('sha256:') && !isDigestText(name)) {
      withContext('Parsing manifest digest', () => parseOciDigest(name));
    }
    const found = await findMountable(repo, name, 'oci');
    await mountFound(repo, found, mountpoint, options);
  });
}

/** Mounts an EROFS image, or the one that is linked to an image. */
export async function mountFound(
  repo: ReadableRepository,
  found: Mountable,
  mountpoint: string,
  options: OciMountOptions,
): Promise<void> {
  const id = typeof found === 'string' ? found : linkedErofs(repo, found, options.bootable === true);
  // Of an image that is no root file system nobody needs the devices, and its author could have put any there.
  const { nodev = options.dev !== true } = mountFlags(options);
  await mountAt(repo, id, mountpoint, { ...options, nodev });
}

function linkedErofs(repo: ReadableRepository, image: OciImage, bootable: boolean): ObjectId {
  const id = bootable ? image.bootImageRef(repo.erofsVersion) : image.imageRef(repo.erofsVersion);
  if (id !== undefined) return id;
  // Says what an artifact is.
  if (!image.isContainerImage()) return image.erofsImageRef(repo, bootable);
  const [kind, how] = bootable ? ['boot', 'pulling with --bootable'] : ['composefs', 're-pulling the image'];
  throw new ComposefsError('NO_IMAGE', `No ${kind} EROFS image linked — try ${how}`);
}
