import { digestSize, parseObjectId, type ReadableRepository } from '../../composefs/index.js';
import { findMountable, isDigestText, type LinkedErofsImage, linkedErofsImages } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';

export async function ociLinkedErofsImages(context: Context, verity: string): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const images = await findLinked(repo, verity);
    await context.output.json(
      images.map(({ id, bootable, version, xattrMode }) => ({ id, bootable, version, xattrMode: xattrMode ?? null })),
    );
  });
}

/** By the digest of one of them, as in the reference, or by the image as every verb names it. */
async function findLinked(repo: ReadableRepository, text: string): Promise<readonly LinkedErofsImage[]> {
  const isWhole = text.length === 2 * digestSize(repo.algorithm);
  const isDigest = /^[0-9a-f]*$/i.test(text) && (isWhole || !isDigestText(text));
  const found = isDigest ? text : await findMountable(repo, text, 'oci');
  return typeof found === 'string'
    ? await linkedErofsImages(repo, parseObjectId(repo.algorithm, found))
    : found.allErofsImages();
}
