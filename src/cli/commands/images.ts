import { formatObjectId } from '../../composefs/index.js';
import { findErofsName } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository, withRepository } from '../context/open-repository.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';
import { standardInput } from './standard-input.js';

export interface ImagesOptions {
  readonly json?: boolean;
  readonly noTrunc?: boolean;
}

export async function images(context: Context, options: ImagesOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const list = repo.listImageRefs().map(([name, target]) => ({ name, digest: target.split('/').at(-1) ?? '' }));
    if (options.json) return await context.output.json({ images: list });
    if (list.length === 0) return await context.output.line('No images found');
    const rows = list.map(({ name, digest }) => [name, options.noTrunc ? digest : digest.slice(0, SHORT_DIGEST)]);
    await context.output.lines(renderTable(['NAME', 'DIGEST'], rows));
  });
}

export async function imageObjects(context: Context, name: string): Promise<void> {
  await withRepository(context, async (repo) => {
    const ids = await repo.objectsForImage(await findErofsName(repo, name), { threads: 0 });
    await context.output.lines([...ids].sort().map((id) => formatObjectId(repo.algorithm, id)));
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
