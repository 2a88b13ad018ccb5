import { formatObjectId } from '../../composefs/fsverity/object-id.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export async function imageObjects(context: Context, name: string): Promise<void> {
  await withRepository(context, async (repo) => {
    const ids = repo.objectsForImage(name);
    await context.output.lines([...ids].sort().map((id) => formatObjectId(repo.algorithm, id)));
  });
}
