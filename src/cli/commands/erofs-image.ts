import { formatObjectId } from '../../composefs/index.js';
import { findErofsName } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { standardInput } from './standard-input.js';

export async function imageObjects(
  context: Context,
  name: string,
  { json }: { readonly json?: boolean },
): Promise<void> {
  await withRepository(context, async (repo) => {
    const ids = await repo.objectsForImage(await findErofsName(repo, name), { threads: 0 });
    const sorted = [...ids].sort();
    if (json) await context.output.json({ objects: sorted });
    else await context.output.lines(sorted.map((id) => formatObjectId(repo.algorithm, id)));
  });
}

export async function importImage(context: Context, reference: string): Promise<void> {
  await withRepository(context, async (repo) => {
    repo.ensureWritable();
    const chunks: Buffer[] = [];
    for await (const chunk of standardInput('an image')) chunks.push(chunk);
    const id = await repo.writeImage(Buffer.concat(chunks), reference);
    await repo.sync();
    await context.output.line(formatObjectId(repo.algorithm, id));
  });
}
