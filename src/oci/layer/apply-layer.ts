import { type ByteString, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { Directory } from '../../composefs/tree/directory.js';
import { ImageError } from '../../composefs/tree/image-error.js';
import { type Inode, Leaf } from '../../composefs/tree/inode.js';
import { getLeaf, splitPath, splitPathMut } from '../../composefs/tree/lookup.js';
import { fileName } from '../../composefs/tree/path.js';
import { ComposefsError, findCause, withContext } from '../../errors.js';
import type { TarEntry } from './tar-entry.js';

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';

/**
 * Applies one entry of a layer to the tree of the layers below it (spec 30 §8.2). Whiteouts act at once, in the order
 * of the tar, also on what the same layer brought before.
 *
 * Parents must exist, symlinks are not followed, and `..` is refused: no entry can reach another place than its path
 * says.
 *
 * @throws ContextError over an {@link ImageError}
 */
export function processEntry(root: Directory, entry: TarEntry): void {
  withContext('Processing tar entry', () => applyEntry(root, entry));
}

function applyEntry(root: Directory, entry: TarEntry): void {
  const { path, stat } = entry;
  const name = fileName(path);
  if (name === undefined) {
    if (entry.item.type !== 'directory') {
      const message = `Unpacking layer tar: filename ${quoteBytes(path)} must be a directory`;
      throw new ComposefsError('INVALID_LAYER', message);
    }
    root.stat = stat;
    return;
  }
  if (name.startsWith(WHITEOUT_PREFIX)) applyWhiteout(root, entry, name);
  else {
    const inode = makeInode(root, entry);
    parentOf(root, path, inode).merge(name, inode);
  }
}

/**
 * Removes what the whiteout names. Whatever it cannot reach is not there: umoci writes `d/.wh.x` after the file `d`
 * has replaced the directory `d`.
 */
function applyWhiteout(root: Directory, entry: TarEntry, name: ByteString): void {
  // A whiteout that is a hard link must resolve all the same.
  const inode = makeInode(root, entry);
  let directory: Directory;
  try {
    directory = parentOf(root, entry.path, inode);
  } catch (error) {
    const kind = findCause(error, ImageError)?.kind;
    if (kind === 'not-found' || kind === 'not-a-directory') return;
    throw error;
  }
  if (name === OPAQUE_WHITEOUT) directory.clear();
  else directory.remove(sliceBytes(name, WHITEOUT_PREFIX.length));
}

function parentOf(root: Directory, path: ByteString, inode: Inode): Directory {
  return withContext(
    () => `Error unpacking container layer file ${quoteBytes(path)} ${describe(inode)}`,
    () => splitPathMut(root, checkName(path)).directory,
  );
}

/** A hard link is resolved now: later changes to its target do not concern it. */
function makeInode(root: Directory, { stat, item }: TarEntry): Inode {
  switch (item.type) {
    case 'directory':
      return new Directory(stat);
    case 'leaf':
      return new Leaf(stat, item.content);
    case 'hardlink': {
      const { directory, name } = splitPath(root, item.target);
      return getLeaf(directory, name);
    }
  }
}

/** Names end at a NUL for the kernel, so two names of the tree could become the same one. PAX allows NULs. */
function checkName(path: ByteString): ByteString {
  if (path.includes('\0')) throw new ImageError('invalid-filename', path);
  return path;
}

function describe(inode: Inode): string {
  return inode instanceof Directory ? 'directory' : inode.content.type;
}
