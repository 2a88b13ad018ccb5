import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import {
  countLinks,
  Directory,
  dumpSingleDir,
  dumpSingleFile,
  type Inode,
  type Leaf,
  objectPathname,
  splitPath,
} from '../../composefs/index.js';
import { ComposefsError } from '../../errors.js';
import { findErofsName } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { withoutEnds } from '../terminal/output.js';

export interface DumpFilesOptions {
  readonly backingPathOnly?: boolean;
}

/** Output begins when every file was found: it is all or nothing (spec 70 C1). */
export async function dumpFiles(
  context: Context,
  image: string,
  files: readonly string[],
  options: DumpFilesOptions,
): Promise<void> {
  await withRepository(context, async (repo) => {
    const root = await repo.readImageTree(await findErofsName(repo, image));
    const links = countLinks(root);
    const found = files.map((file) => ({ file, inode: lookup(root, file) }));
    const lines = found.flatMap(({ file, inode }) =>
      options.backingPathOnly
        ? [backingPathLine(file, inode)]
        : [...withoutEnds(dumpLines(byteStringFromText(file), inode, links))],
    );
    await context.output.lines(lines);
  });
}

function lookup(root: Directory, file: string): Inode {
  const { directory, name } = splitPath(root, byteStringFromText(file));
  const inode = directory.lookup(name);
  if (inode === undefined) throw new ComposefsError('NOT_FOUND', `${file} not found`);
  return inode;
}

function dumpLines(path: ByteString, inode: Inode, links: ReadonlyMap<Leaf, number>): string[] {
  return inode instanceof Directory ? [...dumpSingleDir(inode, path, links)] : [dumpSingleFile(inode, path, links)];
}

function backingPathLine(file: string, inode: Inode): string {
  if (inode instanceof Directory) throw new ComposefsError('IS_A_DIRECTORY', `${file} is a directory`);
  return `${file} ${backingPath(inode) ?? 'inline'}`;
}

/** The path below `objects/`; undefined for what the image holds itself. */
function backingPath({ content }: Leaf): string | undefined {
  if (content.type !== 'regular') return undefined;
  if (content.file.storage === 'external') return content.file.payload ?? objectPathname(content.file.id);
  return content.file.storage === 'external-no-verity' ? content.file.payload : undefined;
}
