import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { ImageDirent } from '../../composefs/view/index.js';
import type { OciImage } from '../store/image.js';
import { openImageFiles } from './image-files.js';

/** An entry that {@link findFiles} has found. */
export interface FoundFile {
  /** As the caller named the image. */
  readonly image: string;
  readonly file: ImageDirent;
}

/**
 * Looks for files in images: which of them have one, and where.
 *
 * @param images by any name.
 * @param matches asked for every entry, whose path is `parentPath` and `name`.
 */
export async function* findFiles(
  repo: ReadableRepository,
  images: ReadonlyMap<string, OciImage>,
  matches: (file: ImageDirent) => boolean,
): AsyncGenerator<FoundFile> {
  for (const [image, opened] of images) {
    const files = await openImageFiles(repo, opened);
    for await (const file of files.walk()) if (matches(file)) yield { image, file };
  }
}
