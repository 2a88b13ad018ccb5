import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { ImageFileSystem } from '../../composefs/view/index.js';
import { openImageFiles } from '../../oci/files/image-files.js';
import { findImage } from '../../oci/store/find-image.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';

/** Opens the files of an image that the command line names, and runs `action` with them. */
export async function withImageFiles<T>(
  context: Context,
  image: string,
  action: (files: ImageFileSystem, repo: ReadableRepository) => Promise<T>,
): Promise<T> {
  return await withReadableRepository(context, async (repo) =>
    action(await openImageFiles(repo, findImage(repo, image)), repo),
  );
}
