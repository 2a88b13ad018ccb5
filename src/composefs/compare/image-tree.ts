import { type ByteString, byteStringFromText, compareBytes } from '../../bytes/byte-string.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/constants.js';
import type { Steps } from '../../threads/turns.js';
import { depthExceeded, directoryHardlinks, invalidImage } from '../erofs/reader/errors.js';
import { readStat } from '../erofs/reader/tree-parts.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { RegularFile } from '../tree/inode.js';
import { MAX_TREE_DEPTH } from '../tree/limits.js';
import { type ImageEntry, isDirectory, isSparse } from '../view/image-entry.js';
import { ImageReader } from '../view/image-reader.js';
import type { ComparableTree, EntryType, TreeEntry } from './comparable-tree.js';

const ENTRIES_A_STEP = 256;
const TYPES: ReadonlyMap<number, EntryType> = new Map([
  [S_IFREG, 'regular'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'symlink'],
  [S_IFCHR, 'character-device'],
  [S_IFBLK, 'block-device'],
  [S_IFIFO, 'fifo'],
  [S_IFSOCK, 'socket'],
]);

/** A directory also knows where it is. */
interface ImageTreeEntry extends TreeEntry {
  readonly entry: ImageEntry;
  readonly path: readonly ByteString[];
}

/** The tree of an EROFS image, read an inode at a time. */
export class ImageTree implements ComparableTree<ImageTreeEntry> {
  readonly algorithm: HashAlgorithm;
  readonly root: ImageTreeEntry;
  readonly #reader: ImageReader;
  readonly #seen = new Set<number>();

  /** @throws ErofsReaderError if it is no composefs image. */
  constructor(image: Buffer, algorithm: HashAlgorithm) {
    this.algorithm = algorithm;
    this.#reader = new ImageReader(image, algorithm);
    this.root = treeEntry(this.#reader.find(byteStringFromText('/'), false, 'stat').entry, []);
  }

  /** May be asked once for each directory. @throws ErofsReaderError */
  *children({ entry, path }: ImageTreeEntry): Steps<readonly (readonly [ByteString, ImageTreeEntry])[]> {
    // Several entries for one directory would make a tree of exponential size of a small image.
    if (this.#seen.has(entry.inode.nid)) throw directoryHardlinks();
    this.#seen.add(entry.inode.nid);
    if (path.length >= MAX_TREE_DEPTH) throw depthExceeded();
    const children: (readonly [ByteString, ImageTreeEntry])[] = [];
    let isSorted = true;
    let last = '';
    for (const child of this.#reader.children({ path, entry })) {
      if (children.length % ENTRIES_A_STEP === ENTRIES_A_STEP - 1) yield;
      isSorted &&= last < child.name;
      last = child.name;
      const isParent = isDirectory(child.entry);
      children.push([child.name, treeEntry(child.entry, isParent ? [...path, child.name] : NO_PATH)]);
    }
    return isSorted ? children : children.sort(([a], [b]) => compareBytes(a, b));
  }

  target({ entry }: ImageTreeEntry): ByteString {
    return this.#reader.target(entry);
  }

  content({ entry, size }: ImageTreeEntry): RegularFile {
    if (entry.object !== undefined) return { storage: 'external', id: entry.object, size };
    if (isSparse(entry)) return { storage: 'sparse', size };
    return { storage: 'inline', data: this.#reader.inlineContent(entry, 0, size) };
  }

  /** An image says what the contents are. */
  async readContents(): Promise<void> {}
}

const NO_PATH: readonly ByteString[] = [];

/** @throws ErofsReaderError */
function treeEntry(entry: ImageEntry, path: readonly ByteString[]): ImageTreeEntry {
  const { inode, mode, rdev, xattrs } = entry;
  const type = TYPES.get(mode & S_IFMT);
  if (type === undefined) throw invalidImage(`unknown file type 0o${(mode & S_IFMT).toString(8)}`);
  const size = type === 'regular' ? entry.size : 0;
  const stat = { ...readStat(inode, xattrs), mode: mode & 0o7777 };
  // Only directories have more links than names.
  const isLinked = type !== 'directory' && inode.nlink > 1;
  return { type, stat, size, rdev, inode: isLinked ? inode.nid : undefined, entry, path };
}
