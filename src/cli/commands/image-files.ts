import { type ImageFileSystem, openImageFileSystem, type ReadableRepository } from '../../composefs/index.js';
import { findImage, findMountable, openImageFiles, openLayerFiles } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';

export interface ImageFilesOptions {
  /** Of one layer only. */
  readonly layer?: string;
}

/** Opens the files of an image that the command line names, and runs `action` with them. */
export async function withImageFiles<T>(
  context: Context,
  image: string,
  { layer }: ImageFilesOptions,
  action: (files: ImageFileSystem, repo: ReadableRepository) => Promise<T>,
): Promise<T> {
  return await withReadableRepository(context, async (repo) => {
    return await action(await openFiles(repo, image, layer), repo);
  });
}

async function openFiles(repo: ReadableRepository, name: string, layer: string | undefined): Promise<ImageFileSystem> {
  if (layer !== undefined) return await openLayerFiles(repo, await findImage(repo, name), layer);
  const found = await findMountable(repo, name, 'oci');
  return typeof found === 'string' ? await openImageFileSystem(repo, found) : await openImageFiles(repo, found);
}
