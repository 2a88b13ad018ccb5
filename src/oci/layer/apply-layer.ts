import { type ByteString, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { Directory } from '../../composefs/tree/directory.js';
import { ImageError } from '../../composefs/tree/image-error.js';
import { type Inode, Leaf } from '../../composefs/tree/inode.js';
import { getLeaf, splitPath, splitPathMut } from '../../composefs/tree/lookup.js';
import { fileName, isDots } from '../../composefs/tree/path.js';
import { ComposefsError, findCause, withContext } from '../../errors.js';
import type { TarEntry } from './tar-entry.js';

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';

/**
 * Applies one entry of a layer to the tree of the layers below it: {@link LayerApplier} for those that come alone.
 *
 * @throws ContextError over an {@link ImageError}
 */
export function processEntry(root: Directory, entry: TarEntry): void {
  new LayerApplier(root).apply(entry);
}

/**
 * Applies the entries of layers to a tree (spec 30 §8.2), which nobody else changes meanwhile. Whiteouts act at once, in
 * the order of the tar, also on what the same layer brought before.
 *
 * Parents must exist, symlinks are not followed, and `..` is refused: no entry can reach another place than its path
 * says.
 */
export class LayerApplier {
  readonly #root: Directory;
  /** What the last path led to, without its name: most entries have the parent of the one before. */
  #last: { readonly path: string; readonly directory: Directory } | undefined;

  constructor(root: Directory) {
    this.#root = root;
  }

  /** @throws ContextError over an {@link ImageError} */
  apply(entry: TarEntry): void {
    withContext('Processing tar entry', () => this.#apply(entry));
  }

  #apply(entry: TarEntry): void {
    const { path, stat } = entry;
    const tail = sliceBytes(path, path.lastIndexOf('/') + 1);
    // Mostly that is the name; `a/`, `a/.` and `a/..` have to be looked at more closely.
    const isPlain = tail !== '' && !isDots(tail);
    const name = isPlain ? tail : fileName(path);
    const parentPath = isPlain ? path.slice(0, path.length - tail.length) : undefined;
    if (name === undefined) {
      if (entry.item.type !== 'directory') {
        const message = `Unpacking layer tar: filename ${quoteBytes(path)} must be a directory`;
        throw new ComposefsError('INVALID_LAYER', message);
      }
      this.#root.stat = stat;
      return;
    }
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#applyWhiteout(entry, name, parentPath);
    } else {
      const inode = makeInode(this.#root, entry);
      this.#parentOf(path, parentPath, inode).merge(name, inode);
    }
  }

  /**
   * Removes what the whiteout names. Whatever it cannot reach is not there: umoci writes `d/.wh.x` after the file `d`
   * has replaced the directory `d`.
   */
  #applyWhiteout(entry: TarEntry, name: ByteString, parentPath: string | undefined): void {
    // A whiteout that is a hard link must resolve all the same.
    const inode = makeInode(this.#root, entry);
    let directory: Directory;
    try {
      directory = this.#parentOf(entry.path, parentPath, inode);
    } catch (error) {
      const kind = findCause(error, ImageError)?.kind;
      if (kind === 'not-found' || kind === 'not-a-directory') return;
      throw error;
    }
    if (name === OPAQUE_WHITEOUT) directory.clear();
    else directory.remove(sliceBytes(name, WHITEOUT_PREFIX.length));
  }

  /** @param parentPath the path without its last component; undefined where it is not plain what that is. */
  #parentOf(path: ByteString, parentPath: string | undefined, inode: Inode): Directory {
    // No entry changes what leads to its own parent, so the last one still is where it was.
    if (this.#last !== undefined && this.#last.path === parentPath && !path.includes('\0')) return this.#last.directory;
    const directory = withContext(
      () => `Error unpacking container layer file ${quoteBytes(path)} ${describe(inode)}`,
      () => splitPathMut(this.#root, checkName(path)).directory,
    );
    this.#last = parentPath === undefined ? undefined : { path: parentPath, directory };
    return directory;
  }
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
