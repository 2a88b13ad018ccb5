import { type ByteString, byteStringFrom, byteStringFromText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { S_IFLNK, S_IFREG } from '../../linux/constants.js';
import {
  BLOCK_SIZE,
  COMPOSEFS_MAGIC,
  EROFS_MAGIC,
  HEADER_VERSION,
  LAYOUT_CHUNK_BASED,
} from '../erofs/format/constants.js';
import { ReadBudget } from '../erofs/reader/budget.js';
import { directoryEntries } from '../erofs/reader/directory-block.js';
import { depthExceeded, directoryHardlinks, duplicateEntry, ErofsReaderError } from '../erofs/reader/errors.js';
import { ErofsImage } from '../erofs/reader/image.js';
import type { ErofsInode } from '../erofs/reader/inode.js';
import { readStat, specialContent } from '../erofs/reader/tree-parts.js';
import { objectPathname } from '../fsverity/object-id.js';
import type { Inode, Leaf, LeafContent, RegularFile } from '../tree/inode.js';
import { Directory } from '../tree/inode.js';
import { MAX_TREE_DEPTH, SYMLINK_TARGET_MAX } from '../tree/limits.js';
import { OriginLeaf } from '../tree/origin-leaf.js';
import type { Stat } from '../tree/stat.js';
import { C_INLINE_MAX } from './c-line.js';
import { CXattrReader, type CXattrs } from './c-xattrs.js';

/** What an image stores of an inode, and a tree does not hold. */
export interface StoredCounts {
  /** `i_size`. */
  readonly size: number;
  readonly nlink: number;
}

export interface CTree {
  readonly root: Directory;
  readonly stored: (inode: Inode) => StoredCounts;
  /** The leaves that have several names. */
  readonly linked: ReadonlySet<Leaf>;
}

export interface CReadOptions {
  /** Of the root's entries, only those of these names are looked at (`composefs-info --filter`). Default: all. */
  readonly topLevel?: ReadonlySet<ByteString>;
}

/**
 * The tree that the C tools see in an image (spec 20 §10.1): real whiteouts are passed over wherever they are, escaped
 * ones kept; payloads and digests are taken as they are; xattrs keep the image's order.
 *
 * @throws ComposefsError with the errno of the C tools as code, or ErofsReaderError where they would read out of bounds.
 */
export function readCTree(bytes: Buffer, options: CReadOptions = {}): CTree {
  if (bytes.length < BLOCK_SIZE) throw new ComposefsError('EINVAL', 'Invalid argument: the image is too small');
  const image = ErofsImage.open(bytes, { maxSize: Number.POSITIVE_INFINITY });
  const { header, superblock } = image;
  if (header.magic !== COMPOSEFS_MAGIC || superblock.magic !== EROFS_MAGIC) {
    throw new ComposefsError('EINVAL', 'Invalid argument: not a composefs image');
  }
  if (header.version !== HEADER_VERSION) {
    throw new ComposefsError('ENOTSUP', `Operation not supported: composefs header version ${header.version}`);
  }
  return new CTreeReader(image, options).read();
}

class StoredLeaf extends OriginLeaf implements StoredCounts {
  readonly size: number;

  constructor(stat: Stat, content: LeafContent, directory: Directory, name: ByteString, { size, nlink }: StoredCounts) {
    super(stat, content, directory, name, nlink);
    this.size = size;
  }
}

class StoredDirectory extends Directory {
  readonly storedSize: number;
  readonly nlink: number;

  constructor(stat: Stat, size: number, nlink: number) {
    super(stat);
    this.storedSize = size;
    this.nlink = nlink;
  }
}

interface Frame {
  readonly inode: ErofsInode;
  readonly directory: Directory;
  readonly entries: Iterator<{ readonly name: ByteString; readonly nid: number }>;
}

class CTreeReader {
  readonly #image: ErofsImage;
  readonly #topLevel: ReadonlySet<ByteString> | undefined;
  readonly #budget: ReadBudget;
  readonly #xattrs: CXattrReader;
  readonly #inodes = new Map<number, Inode>();
  readonly #linked = new Set<Leaf>();
  readonly #stack: Frame[] = [];

  constructor(image: ErofsImage, options: CReadOptions) {
    this.#image = image;
    this.#topLevel = options.topLevel;
    this.#budget = new ReadBudget(image.length);
    this.#xattrs = new CXattrReader(image);
  }

  read(): CTree {
    const rootInode = this.#image.root();
    if (!rootInode.isDirectory) throw new ComposefsError('EINVAL', 'Invalid argument: the root is not a directory');
    const root = this.#enter(rootInode);
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      const next = frame.entries.next();
      if (next.done === true) this.#stack.pop();
      else if (this.#isWanted(next.value.name)) this.#addChild(frame, next.value.name, next.value.nid);
    }
    return { root, stored: storedCounts, linked: this.#linked };
  }

  #isWanted(name: ByteString): boolean {
    return this.#topLevel === undefined || this.#stack.length > 1 || this.#topLevel.has(name);
  }

  #enter(inode: ErofsInode): Directory {
    if (this.#stack.length >= MAX_TREE_DEPTH) throw depthExceeded();
    const { xattrs } = this.#readXattrs(inode);
    const directory = new StoredDirectory(readStat(inode, xattrs), inode.exactSize, inode.nlink);
    this.#inodes.set(inode.nid, directory);
    this.#stack.push({ inode, directory, entries: this.#entries(inode) });
    return directory;
  }

  *#entries(inode: ErofsInode): Generator<{ readonly name: ByteString; readonly nid: number }> {
    const { start, end } = this.#image.inodeBlocks(inode);
    this.#budget.charge((end - start) * this.#image.blockSize);
    for (const part of this.#image.directoryParts(inode)) {
      for (const entry of directoryEntries(part)) if (entry.name !== '.' && entry.name !== '..') yield entry;
    }
  }

  #addChild({ directory }: Frame, name: ByteString, nid: number): void {
    if (name === '' || name.includes('/') || name.includes('\0')) throw invalid('a name in a directory');
    const known = this.#inodes.get(nid);
    if (known instanceof Directory) throw directoryHardlinks();
    if (known !== undefined) {
      this.#linked.add(known);
      insert(directory, name, known);
      return;
    }
    const inode = this.#image.inode(nid);
    if (inode.isWhiteout) return;
    if (inode.isDirectory) {
      insert(directory, name, this.#enter(inode));
      return;
    }
    const found = this.#readXattrs(inode);
    const counts = { size: found.isWhiteout ? 0 : inode.exactSize, nlink: inode.nlink };
    const leaf = new StoredLeaf(readStat(inode, found.xattrs), this.#content(inode, found), directory, name, counts);
    insert(directory, name, leaf);
    this.#inodes.set(nid, leaf);
  }

  #readXattrs(inode: ErofsInode): CXattrs {
    this.#budget.charge(inode.extent);
    return this.#xattrs.read(inode);
  }

  #content(inode: ErofsInode, found: CXattrs): LeafContent {
    switch (inode.type) {
      case S_IFREG:
        if (found.isWhiteout) return { type: 'character-device', rdev: 0 };
        return { type: 'regular', file: this.#file(inode, found) };
      case S_IFLNK:
        return { type: 'symlink', target: byteStringFrom(this.#data(inode, SYMLINK_TARGET_MAX)) };
      default: {
        const content = specialContent(inode);
        if (content === undefined) throw invalid(`file type 0o${inode.type.toString(8)}`);
        return content;
      }
    }
  }

  #file(inode: ErofsInode, { digest, payload }: CXattrs): RegularFile {
    if (inode.size === 0) return { storage: 'inline', data: Buffer.alloc(0) };
    if (inode.layout !== LAYOUT_CHUNK_BASED) {
      // A copy: a tree does not keep the image.
      return { storage: 'inline', data: Buffer.from(this.#data(inode, C_INLINE_MAX)) };
    }
    const size = inode.exactSize;
    if (digest !== undefined) {
      const isUsual = payload === objectPathname(digest);
      return isUsual
        ? { storage: 'external', id: digest, size }
        : { storage: 'external', id: digest, size, payload: payload ?? NO_PAYLOAD };
    }
    return payload === undefined ? { storage: 'sparse', size } : { storage: 'external-no-verity', payload, size };
  }

  /** Blocks, then tail: a view of the image where there is only one of them. */
  #data(inode: ErofsInode, limit: number): Buffer {
    if (inode.size > limit) throw invalid(`content of ${BigInt(inode.size)} bytes`);
    const { start, end } = this.#image.inodeBlocks(inode);
    const { blockSize } = this.#image;
    const tail = inode.inline();
    if (start === end && tail !== undefined) return tail.subarray(0, inode.size);
    const blocks = this.#image.slice(start * blockSize, (end - start) * blockSize);
    return (tail === undefined ? blocks : Buffer.concat([blocks, tail])).subarray(0, inode.size);
  }
}

function storedCounts(inode: Inode): StoredCounts {
  if (inode instanceof StoredLeaf) return inode;
  if (inode instanceof StoredDirectory) return { size: inode.storedSize, nlink: inode.nlink };
  throw new Error('an inode that was not read from an image');
}

function insert(directory: Directory, name: ByteString, inode: Inode): void {
  if (!directory.insert(name, inode)) throw duplicateEntry(name);
}

/** A digest without a path. */
const NO_PAYLOAD: ByteString = byteStringFromText('');

function invalid(what: string): ErofsReaderError {
  return new ErofsReaderError('invalid-image', `Invalid argument: ${what}`);
}
