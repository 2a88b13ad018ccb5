import type { Context } from '../context/context.js';
import type { MountOptions } from '../context/mount-options.js';
import { withReadableRepository } from '../context/open-repository.js';
import { mountAt } from './mount-at.js';

export async function mount(context: Context, name: string, mountpoint: string, options: MountOptions): Promise<void> {
  await withReadableRepository(context, (repo) => mountAt(repo, name, mountpoint, options));
}
