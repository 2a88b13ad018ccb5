import { parseObjectId } from '../../composefs/index.js';
import { linkedErofsImages } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';

export async function ociLinkedErofsImages(context: Context, verity: string): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const images = linkedErofsImages(repo, parseObjectId(repo.algorithm, verity));
    await context.output.json(
      images.map(({ id, bootable, version, xattrMode }) => ({ id, bootable, version, xattrMode: xattrMode ?? null })),
    );
  });
}
