import { ComposefsError, withContext } from '../../errors.js';
import { OciImage, parseOciDigest } from '../../index.js';
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
  await withReadableRepository(context, (repo) => {
    const image = name.startsWith('sha256:')
      ? OciImage.open(
          repo,
          withContext('Parsing manifest digest', () => parseOciDigest(name)),
        )
      : OciImage.openRef(repo, name);
    const { bootable = false } = options;
    const id = bootable ? image.bootImageRef(repo.erofsVersion) : image.imageRef(repo.erofsVersion);
    if (id === undefined) {
      const [kind, how] = bootable ? ['boot', 'pulling with --bootable'] : ['composefs', 're-pulling the image'];
      throw new ComposefsError('NO_IMAGE', `No ${kind} EROFS image linked — try ${how}`);
    }
    // Of an image that is no root file system nobody needs the devices, and its author could have put any there.
    const { nodev = options.dev !== true } = mountFlags(options);
    return mountAt(repo, id, mountpoint, { ...options, nodev });
  });
}
