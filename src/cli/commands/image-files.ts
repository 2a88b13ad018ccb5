import type { ImageFileSystem, ReadableRepository } from '../../composefs/index.js';
import { findImage, openImageFiles, openLayerFiles } from '../../index.js';
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
    const found = findImage(repo, image);
    const files = layer === undefined ? await openImageFiles(repo, found) : openLayerFiles(repo, found, layer);
    return await action(files, repo);
  });
}
