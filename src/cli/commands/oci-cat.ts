import type { Context } from '../context/context.js';
import { type ImageFilesOptions, withImageFiles } from './image-files.js';

/** Writes files of an image to standard output: as they are, but to a terminal as text that cannot command it. */
export async function ociCat(
  context: Context,
  image: string,
  paths: readonly string[],
  options: ImageFilesOptions,
): Promise<void> {
  await withImageFiles(context, image, options, async (files) => {
    for (const path of paths) {
      if (!context.output.isTerminal) await context.output.bytes(files.createReadStream(path));
      else await context.output.lines((await files.readFile(path, 'utf8')).replace(/\n$/, '').split('\n'));
    }
  });
}
