import { findMountable } from '../../index.js';
import type { Context } from '../context/context.js';
import type { MountOptions } from '../context/mount-options.js';
import { withReadableRepository } from '../context/open-repository.js';
import { mountAt } from './mount-at.js';
import { mountFound } from './oci-mount.js';

/** Mounts an EROFS image by its digest or reference; what is an OCI image, as `oci mount` does. */
export async function mount(context: Context, name: string, mountpoint: string, options: MountOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const found = await findMountable(repo, name, 'erofs');
    if (typeof found === 'string') await mountAt(repo, found, mountpoint, options);
    else await mountFound(repo, found, mountpoint, options);
  });
}
