import type { ImageDirent, ImageFileSystem, ImagePath, ImageStats } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { describeFile, longLines } from '../terminal/file-lines.js';
import { type ImageFilesOptions, withImageFiles } from './image-files.js';

export interface OciLsOptions extends ImageFilesOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly json?: boolean;
}

interface Listed {
  /** As it is printed. */
  readonly name: string;
  readonly path: string;
  readonly stats: ImageStats;
  /** Of a symlink. */
  readonly target: string | undefined;
}

/** What is in a directory of an image, or the one file: names, or whole paths with `--recursive`. */
export async function ociLs(context: Context, image: string, path: string, options: OciLsOptions): Promise<void> {
  await withImageFiles(context, image, options, async (files) => {
    const listed = await list(files, path, options.recursive === true);
    if (options.json) return await context.output.json(listed.map(describeFile));
    await context.output.lines(options.long ? longLines(listed) : listed.map(({ name }) => name));
  });
}

async function list(files: ImageFileSystem, path: string, recursive: boolean): Promise<Listed[]> {
  const own = await files.lstat(path);
  const entries: Listed[] = [];
  const add = async (name: string, text: string, at: ImagePath, stats: ImageStats): Promise<void> => {
    const target = stats.isSymbolicLink() ? await files.readlink(at) : undefined;
    entries.push({ name, path: text, stats, target });
  };
  const addEntry = async (name: string, file: ImageDirent): Promise<void> =>
    await add(name, file.path, file.pathBytes, file.stats);
  if (!own.isDirectory()) {
    await add(path, path, path, own);
  } else if (recursive) {
    for await (const file of files.walk(path)) await addEntry(file.path, file);
  } else {
    for (const file of await files.readdir(path, { withFileTypes: true })) await addEntry(file.name, file);
  }
  return entries;
}
