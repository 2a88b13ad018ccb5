import type { ByteString } from '../../bytes/byte-string.js';
import type { Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { LazyDirectory } from '../scan/lazy-directory.js';
import { Directory, fileSize, type Inode, Leaf, type RegularFile } from '../tree/inode.js';
import type { ComparableTree, TreeEntry } from './comparable-tree.js';

const ENTRIES_A_STEP = 256;

interface DirectoryTreeEntry extends TreeEntry {
  readonly self: Inode;
}

/** A tree in memory, or of a directory on disk. */
export class DirectoryTree implements ComparableTree<DirectoryTreeEntry> {
  readonly algorithm: HashAlgorithm;
  readonly root: DirectoryTreeEntry;
  readonly #lazy: LazyDirectory | undefined;

  private constructor(root: Directory, algorithm: HashAlgorithm, lazy: LazyDirectory | undefined) {
    this.root = treeEntry(root);
    this.algorithm = algorithm;
    this.#lazy = lazy;
  }

  static of(root: Directory, algorithm: HashAlgorithm): DirectoryTree {
    return new DirectoryTree(root, algorithm, undefined);
  }

  static ofLazy(directory: LazyDirectory): DirectoryTree {
    return new DirectoryTree(directory.root, directory.algorithm, directory);
  }

  *children({ self }: DirectoryTreeEntry): Steps<readonly (readonly [ByteString, DirectoryTreeEntry])[]> {
    const children: (readonly [ByteString, DirectoryTreeEntry])[] = [];
    for (const [name, inode] of self instanceof Directory ? self.entries() : []) {
      if (children.length % ENTRIES_A_STEP === ENTRIES_A_STEP - 1) yield;
      children.push([name, treeEntry(inode)]);
    }
    return children;
  }

  target({ self }: DirectoryTreeEntry): ByteString {
    if (self instanceof Leaf && self.content.type === 'symlink') return self.content.target;
    throw new TypeError('no symlink');
  }

  content({ self }: DirectoryTreeEntry): RegularFile | undefined {
    if (!(self instanceof Leaf) || self.content.type !== 'regular') throw new TypeError('no regular file');
    return this.#lazy?.isUnread(self) === true ? undefined : self.content.file;
  }

  async readContents(files: readonly DirectoryTreeEntry[], signal?: AbortSignal): Promise<void> {
    const leaves = files.flatMap(({ self }) => (self instanceof Leaf ? self : []));
    await this.#lazy?.read(leaves, signal);
  }
}

function treeEntry(self: Inode): DirectoryTreeEntry {
  if (self instanceof Directory) {
    return { type: 'directory', stat: self.stat, size: 0, rdev: 0, inode: undefined, self };
  }
  const { stat, content } = self;
  const size = content.type === 'regular' ? fileSize(content.file) : 0;
  const rdev = 'rdev' in content ? content.rdev : 0;
  return { type: content.type, stat, size, rdev, inode: self, self };
}
