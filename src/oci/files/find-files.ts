import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ImageFileSystem } from '../../composefs/view/index.js';
import { readWholeImage } from '../../composefs/view/open-image.js';
import { nullReporter } from '../../progress.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import type { OciImage } from '../store/image.js';
import { linkedErofs } from './image-files.js';

/** A file, as far as it can be looked for. */
export interface FileToFind {
  /** U+FFFD stands for what is not UTF-8. */
  readonly name: string;
  /** Whole and absolute. */
  readonly path: string;
  /** In bytes; 0 for what has no content. */
  readonly size: number;
  /** The object that is the content. */
  readonly object: ObjectId | undefined;
}

/** What is looked for. */
export interface WantedFile {
  /** Whether a file is one of those that are looked for. Called once for each file. */
  readonly matches: (file: FileToFind) => boolean;
  /**
   * Bytes of which an EROFS image has some if it has such a file: part of its name, or of the digest that is the name of
   * its object. Images without them are passed over, which takes a fraction of the time. Undefined: nothing is known.
   */
  readonly bytes?: readonly Buffer[] | undefined;
}

/** A file that {@link findFiles} has found. */
export interface FoundFile extends FileToFind {
  /** As the caller named the image. */
  readonly image: string;
}

/**
 * Looks for files in images: which of them have one, and where. The reporter is told how many images have been looked
 * through.
 *
 * @param images by any name.
 */
export async function* findFiles(
  repo: ReadableRepository,
  images: ReadonlyMap<string, OciImage>,
  { matches, bytes }: WantedFile,
  { signal, progress = nullReporter }: Pick<LongCallOptions, 'signal' | 'progress'> = {},
): AsyncGenerator<FoundFile> {
  let fetched = 0;
  progress.report({ type: 'started', id: 'images', total: images.size, unit: 'items' });
  for (const [image, opened] of images) {
    signal?.throwIfAborted();
    const { image: data } = await readWholeImage(repo, linkedErofs(repo, opened), { signal });
    const files = new ImageFileSystem(data, repo.objects);
    if (bytes === undefined || bytes.some((some) => data.includes(some))) {
      for await (const { name, path, stats } of files.walk()) {
        signal?.throwIfAborted();
        const file = { name, path, size: stats.size, object: stats.object };
        if (matches(file)) yield { image, ...file };
      }
    }
    fetched += 1;
    progress.report({ type: 'progress', id: 'images', fetched, total: images.size });
  }
  progress.report({ type: 'done', id: 'images', transferred: fetched });
}
