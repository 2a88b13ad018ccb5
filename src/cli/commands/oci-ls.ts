import type { ImageDirent, ImageFileSystem, ImagePath, ImageStats } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { type Running, withDelayedProgress } from '../progress/delayed.js';
import { describeFile, longLines } from '../terminal/file-lines.js';
import { type ImageFilesOptions, withImageFiles } from './image-files.js';

export interface OciLsOptions extends ImageFilesOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly json?: boolean;
}

const ENTRIES_A_REPORT = 1000;

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
    const { recursive = false, long = false, json = false } = options;
    const own = await files.lstat(path);
    // What is printed at once needs no progress.
    if (own.isDirectory() && recursive && !long && !json) return await context.output.lines(pathsBelow(files, path));
    const listed = await withDelayedProgress((running) => list(files, path, own, { recursive, ...running }));
    if (json) return await context.output.json(listed.map(describeFile));
    await context.output.lines(long ? longLines(listed) : listed.map(({ name }) => name));
  });
}

async function* pathsBelow(files: ImageFileSystem, top: string): AsyncGenerator<string> {
  for await (const { path } of files.walk(top)) yield path;
}

async function list(
  files: ImageFileSystem,
  path: string,
  own: ImageStats,
  { recursive, progress, signal }: Running & { readonly recursive: boolean },
): Promise<Listed[]> {
  const entries: Listed[] = [];
  const add = async (name: string, text: string, at: ImagePath, stats: ImageStats): Promise<void> => {
    const target = stats.isSymbolicLink() ? await files.readlink(at) : undefined;
    entries.push({ name, path: text, stats, target });
  };
  const addEntry = async (name: string, file: ImageDirent): Promise<void> => {
    signal.throwIfAborted();
    await add(name, file.path, file.pathBytes, file.stats);
    if (entries.length % ENTRIES_A_REPORT === 0)
      progress.report({ type: 'progress', id: path, fetched: entries.length });
  };
  progress.report({ type: 'started', id: path, unit: 'items' });
  if (!own.isDirectory()) {
    await add(path, path, path, own);
  } else if (recursive) {
    for await (const file of files.walk(path)) await addEntry(file.path, file);
  } else {
    for (const file of await files.readdir(path, { withFileTypes: true })) await addEntry(file.name, file);
  }
  progress.report({ type: 'done', id: path, transferred: entries.length });
  return entries;
}
