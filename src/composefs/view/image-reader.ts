import {
  type ByteString,
  byteStringFrom,
  byteStringFromText,
  byteStringToBuffer,
  quoteBytes,
  splitBytes,
} from '../../bytes/byte-string.js';
import { ReadBudget } from '../erofs/reader/budget.js';
import { DirectoryView } from '../erofs/reader/directory-view.js';
import { invalidImage } from '../erofs/reader/errors.js';
import { ErofsImage } from '../erofs/reader/image.js';
import type { ErofsInode } from '../erofs/reader/inode.js';
import { readImageContent } from '../erofs/reader/inode-content.js';
import { XattrReader } from '../erofs/reader/inode-xattrs.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { SYMLINK_TARGET_MAX } from '../tree/limits.js';
import { FileError, type FileErrorCode } from './file-error.js';
import { type ImageEntry, imageEntry, isDirectory, isStub, isSymlink } from './image-entry.js';

/** As Linux counts the symlinks of one path (`MAXSYMLINKS`). */
const MAX_SYMLINKS = 40;

/** An entry, and where it is: the names that lead to it from the root, none of them a symlink. */
export interface Found {
  readonly path: readonly ByteString[];
  readonly entry: ImageEntry;
}

/** An entry of a directory. */
export interface Child {
  readonly parent: Found;
  readonly name: ByteString;
  readonly entry: ImageEntry;
}

/** Looks things up in an image, an inode at a time, without reading the rest of it. */
export class ImageReader {
  readonly #image: ErofsImage;
  readonly #algorithm: HashAlgorithm;
  readonly #xattrs: XattrReader;

  /** @throws ErofsReaderError if it is no composefs image. */
  constructor(image: Buffer, algorithm: HashAlgorithm) {
    this.#image = ErofsImage.open(image).restrictToComposefs();
    this.#algorithm = algorithm;
    this.#xattrs = new XattrReader(new ReadBudget(image.length));
  }

  /**
   * Follows a path from the root. Symlinks on the way are followed inside of the image: an absolute target begins at
   * its root, and `..` of the root is the root.
   *
   * @param followLast whether a symlink at the end is followed, too.
   * @throws FileError `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`; ErofsReaderError
   */
  find(path: ByteString, followLast: boolean, call: string): Found {
    const fail = (code: FileErrorCode): FileError => new FileError(code, call, path);
    if (path.length > SYMLINK_TARGET_MAX) throw fail('ENAMETOOLONG');
    const root: Found = { path: [], entry: this.#entry(this.#image.root()) };
    const above: Found[] = [];
    let at = root;
    let links = 0;
    const rest = componentsOf(path).reverse();
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (!isDirectory(at.entry)) throw fail('ENOTDIR');
      if (name === '.') continue;
      if (name === '..') {
        at = above.pop() ?? root;
        continue;
      }
      const entry = this.#child(at, name);
      if (entry === undefined) throw fail('ENOENT');
      if (!isSymlink(entry) || (rest.length === 0 && !followLast)) {
        above.push(at);
        at = { path: [...at.path, name], entry };
        continue;
      }
      links += 1;
      if (links > MAX_SYMLINKS) throw fail('ELOOP');
      const target = this.target(entry);
      if (target === '') throw fail('ENOENT');
      if (target.startsWith('/')) {
        above.length = 0;
        at = root;
      }
      rest.push(...componentsOf(target).reverse());
    }
    return at;
  }

  /** The entries of a directory in the order of their names, without `.` and `..`. @throws ErofsReaderError */
  *children(directory: Found): Generator<Child> {
    const isRoot = directory.path.length === 0;
    for (const stored of new DirectoryView(this.#image, directory.entry.inode).entriesFrom(0)) {
      const name = byteStringFrom(stored.name);
      if (name === '.' || name === '..') continue;
      if (name.includes('/') || name.includes('\0'))
        throw invalidImage(`invalid name ${quoteBytes(name)} in directory`);
      const entry = this.#entry(this.#image.inode(stored.nid));
      if (!(isRoot && isStub(name, entry))) yield { parent: directory, name, entry };
    }
  }

  /** The target of a symlink. @throws ErofsReaderError */
  target(entry: ImageEntry): ByteString {
    return byteStringFrom(this.inlineContent(entry, 0, SYMLINK_TARGET_MAX));
  }

  /** A part of a file that the image itself holds. @throws ErofsReaderError */
  inlineContent({ inode }: ImageEntry, position: number, length: number): Buffer {
    const data = Buffer.alloc(Math.max(0, Math.min(length, inode.exactSize - position)));
    return data.subarray(0, readImageContent(inode, position, data, 0, data.length));
  }

  #child({ path, entry }: Found, name: ByteString): ImageEntry | undefined {
    const nid = new DirectoryView(this.#image, entry.inode).find(byteStringToBuffer(name));
    if (nid === undefined) return undefined;
    const child = this.#entry(this.#image.inode(nid));
    return path.length === 0 && isStub(name, child) ? undefined : child;
  }

  #entry(inode: ErofsInode): ImageEntry {
    return imageEntry(inode, this.#xattrs.read(inode), this.#algorithm);
  }
}

/** The names of a path; `.` stands at the end of one that ends in a slash, which only a directory has. */
function componentsOf(path: ByteString): ByteString[] {
  const names = splitBytes(path, '/').filter((name) => name !== '');
  return path.endsWith('/') ? [...names, byteStringFromText('.')] : names;
}
