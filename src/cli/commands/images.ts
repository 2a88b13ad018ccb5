import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';

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
