import { formatObjectId } from '../../composefs/fsverity/object-id.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export async function importImage(context: Context, reference: string): Promise<void> {
  await withRepository(context, async (repo) => {
    repo.ensureWritable();
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    const id = repo.writeImage(Buffer.concat(chunks), reference);
    repo.sync();
    await context.output.line(formatObjectId(repo.algorithm, id));
  });
}
