import type { Context } from '../context.js';
import type { MountOptions } from '../mount-options.js';
import { withReadableRepository } from '../open-repository.js';
import { mountAt } from './mount-at.js';

export async function mount(context: Context, name: string, mountpoint: string, options: MountOptions): Promise<void> {
  await withReadableRepository(context, (repo) => mountAt(repo, name, mountpoint, options));
}
