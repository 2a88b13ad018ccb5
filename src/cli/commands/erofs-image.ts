import { collectObjects, formatObjectId, type HashAlgorithm } from '../../composefs/index.js';
import { ContextError } from '../../errors.js';
import { findErofsName } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { counted, standardInput } from './standard-input.js';

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
    const id = await withDelayedProgress(async ({ progress, signal }) => {
      const chunks: Buffer[] = [];
      for await (const chunk of counted(standardInput('an image', signal), reference, progress)) chunks.push(chunk);
      const image = Buffer.concat(chunks);
      await requireReadable(image, repo.algorithm, signal);
      return await repo.writeImage(image, reference, { signal });
    });
    await repo.sync();
    await context.output.line(formatObjectId(repo.algorithm, id));
  });
}

/** Every garbage collection fails as long as an image has a name of which it cannot tell what it needs. */
async function requireReadable(image: Buffer, algorithm: HashAlgorithm, signal: AbortSignal): Promise<void> {
  try {
    await collectObjects(image, algorithm, { signal });
  } catch (cause) {
    throw new ContextError('Standard input is no composefs image', cause);
  }
}
