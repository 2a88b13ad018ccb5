import { type ByteString, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { Directory, type Inode, Leaf } from '../../composefs/tree/inode.js';
import { getLeaf, splitPath, splitPathMut } from '../../composefs/tree/lookup.js';
import { fileName } from '../../composefs/tree/path.js';
import { clearTree } from '../../composefs/tree/walk.js';
import { ComposefsError, withContext } from '../../errors.js';
import { type Applier, checkName, OPAQUE_WHITEOUT, WHITEOUT_PREFIX } from './apply-layer.js';
import type { TarEntry } from './tar-entry.js';

/**
 * Applies the entries of layers to a tree as composefs-rs 0.9.4 does (spec 30 §8.2), for callers that must have its digests.
 * Whiteouts act at once, in the order of the tar, also on what the same layer brought before. Parents must exist,
 * symlinks are not followed, and `..` is refused.
 */
export class ReferenceLayerApplier implements Applier {
  readonly #root: Directory;

  constructor(root: Directory) {
    this.#root = root;
  }

  startLayer(): void {}

  apply(entry: TarEntry): void {
    withContext('Processing tar entry', () => this.#apply(entry));
  }

  #apply(entry: TarEntry): void {
    const { path, stat, item } = entry;
    const name = fileName(path);
    if (name === undefined) {
      if (item.type !== 'directory') {
        const message = `Unpacking layer tar: filename ${quoteBytes(path)} must be a directory`;
        throw new ComposefsError('INVALID_LAYER', message);
      }
      this.#root.stat = stat;
      return;
    }
    // A whiteout that is a hard link must resolve all the same.
    const inode = makeInode(this.#root, entry);
    const { directory } = withContext(
      () => `Error unpacking container layer file ${quoteBytes(path)} ${describe(inode)}`,
      () => splitPathMut(this.#root, checkName(path)),
    );
    if (name === OPAQUE_WHITEOUT) clearTree(directory);
    else if (name.startsWith(WHITEOUT_PREFIX)) remove(directory, sliceBytes(name, WHITEOUT_PREFIX.length));
    else if (item.type === 'leaf') directory.insertLeaf(name, stat, item.content);
    else directory.merge(name, inode);
  }
}

function remove(directory: Directory, name: ByteString): void {
  const child = directory.child(name);
  directory.remove(name);
  if (child instanceof Directory) clearTree(child);
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

function describe(inode: Inode): string {
  return inode instanceof Directory ? 'directory' : inode.content.type;
}
