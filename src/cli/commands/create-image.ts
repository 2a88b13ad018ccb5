import { formatObjectId } from '../../composefs/fsverity/object-id.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import type { FileSystemOptions } from '../context/options.js';
import { readTree } from './read-tree.js';

export type CreateImageOptions = FileSystemOptions;

export async function createImage(
  context: Context,
  path: string,
  name: string | undefined,
  options: CreateImageOptions,
): Promise<void> {
  await withRepository(context, async (repo) => {
    repo.ensureWritable();
    const id = await repo.hold(async () => {
      const destination = { kind: 'repository', store: repo.objects.options } as const;
      return repo.commitImage(await readTree(path, options, destination), name);
    });
    repo.sync();
    await context.output.line(formatObjectId(repo.algorithm, id));
  });
}
