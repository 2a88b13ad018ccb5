import type { Context } from '../context.js';
import { withReadableRepository } from '../open-repository.js';
import type { MountOptions } from '../options.js';
import { mountAt } from './mount-at.js';

export async function mount(context: Context, name: string, mountpoint: string, options: MountOptions): Promise<void> {
  await withReadableRepository(context, (repo) => mountAt(repo, name, mountpoint, options));
}
