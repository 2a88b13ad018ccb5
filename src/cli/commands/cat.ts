import { withContextAsync } from '../../errors.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export async function cat(context: Context, name: string): Promise<void> {
  await withRepository(context, (repo) =>
    withContextAsync(`Merging splitstream '${name}'`, () => context.output.bytes(repo.mergeSplitstream(name))),
  );
}
