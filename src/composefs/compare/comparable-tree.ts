import type { ByteString } from '../../bytes/byte-string.js';
import type { Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { LeafContent, RegularFile } from '../tree/inode.js';
import type { Stat } from '../tree/stat.js';

/** What an inode is. */
export type EntryType = 'directory' | LeafContent['type'];

/** An inode of a tree that is compared, by one of its names. */
export interface TreeEntry {
  readonly type: EntryType;
  readonly stat: Stat;
  /** Bytes of a regular file; 0 of others. */
  readonly size: number;
  /** Of a device; 0 of others. */
  readonly rdev: number;
  /** The same for all names of one inode; undefined where the inode has one name only. */
  readonly inode: unknown;
}

/** A tree that can be compared with another one. Its parts are read when they are asked for. */
export interface ComparableTree<Entry extends TreeEntry = TreeEntry> {
  /** Of the digests that stand for contents. */
  readonly algorithm: HashAlgorithm;
  readonly root: Entry;
  /**
   * The entries of a directory in byte order of their names. Others may have their turn at each step.
   *
   * @throws ComposefsError where the tree is damaged, or has no end
   */
  children(directory: Entry): Steps<readonly (readonly [name: ByteString, entry: Entry])[]>;
  /** Of a symlink. */
  target(symlink: Entry): ByteString;
  /** Of a regular file; undefined while it is not known: see {@link ComparableTree.readContents}. */
  content(file: Entry): RegularFile | undefined;
  /** Finds out the contents of these files. */
  readContents(files: readonly Entry[], signal?: AbortSignal): Promise<void>;
}
