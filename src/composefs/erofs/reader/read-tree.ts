import { type ByteString, byteStringFrom, byteStringFromText, quoteBytes } from '../../../bytes/byte-string.js';
import { ContextError } from '../../../errors.js';
import { S_IFLNK, S_IFREG } from '../../../linux/constants.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { objectPathname } from '../../fsverity/object-id.js';
import { Directory, Leaf, type LeafContent, type RegularFile, WHITEOUT } from '../../tree/inode.js';
import { MAX_INLINE_CONTENT, MAX_TREE_DEPTH, SYMLINK_MAX } from '../../tree/limits.js';
import { DOT, DOT_DOT } from '../../tree/path.js';
import { LAYOUT_CHUNK_BASED } from '../format/constants.js';
import { ReadBudget } from './budget.js';
import { type DirectoryEntry, directoryEntries } from './directory-block.js';
import {
  depthExceeded,
  directoryHardlinks,
  duplicateEntry,
  ErofsReaderError,
  invalidImage,
  invalidParentReference,
  invalidSelfReference,
} from './errors.js';
import { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';
import { type InodeXattrs, metacopyDigest, redirectObject, XattrReader } from './inode-xattrs.js';
import { readStat, specialContent } from './tree-parts.js';

const EMPTY: Buffer = Buffer.alloc(0);

const ENTRIES_A_STEP = 16;

/**
 * The tree that an image was made of (spec 20 §10). What overlayfs and the writer added is taken away: stubs, redirects
 * and metacopies, whiteout markers, escapes.
 *
 * @throws ErofsReaderError, with the directories that lead to the place as context, if the image is not a composefs
 *   image, inconsistent, or made to exhaust its reader.
 */
export function readErofsTree(image: Buffer, algorithm: HashAlgorithm): Directory {
  return runSteps(erofsTreeSteps(image, algorithm));
}

/** {@link readErofsTree}. */
export function* erofsTreeSteps(image: Buffer, algorithm: HashAlgorithm): Steps<Directory> {
  return yield* new TreeReader(ErofsImage.open(image).restrictToComposefs(), algorithm).read();
}

interface Frame {
  readonly name: ByteString | undefined;
  readonly inode: ErofsInode;
  readonly directory: Directory;
  entries: readonly DirectoryEntry[];
  next: number;
  subdirectories: number;
}

interface LinkedLeaf {
  readonly leaf: Leaf;
  readonly nlink: number;
  references: number;
}

class TreeReader {
  readonly #image: ErofsImage;
  readonly #algorithm: HashAlgorithm;
  readonly #budget: ReadBudget;
  readonly #xattrs: XattrReader;
  readonly #directories = new Set<number>();
  readonly #links = new Map<number, LinkedLeaf>();
  readonly #stack: Frame[] = [];

  constructor(image: ErofsImage, algorithm: HashAlgorithm) {
    this.#image = image;
    this.#algorithm = algorithm;
    this.#budget = new ReadBudget(image.length);
    this.#xattrs = new XattrReader(this.#budget);
  }

  *read(): Steps<Directory> {
    const root = yield* this.#readAll();
    for (const [nid, { nlink, references }] of this.#links) {
      if (nlink !== references) {
        throw invalidImage(
          `nlink mismatch for inode nid ${nid}: on-disk nlink is ${nlink}, but found ${references} reference(s) in the directory tree`,
        );
      }
    }
    return root;
  }

  *#readAll(): Steps<Directory> {
    const root = this.#withContext(() => {
      const inode = this.#image.root();
      this.#budget.charge(inode.extent);
      return this.#enter(undefined, inode, this.#xattrs.read(inode));
    });
    while (this.#withContext(() => this.#readNext())) yield;
    return root;
  }

  /** Some entries of the directory at work. False: there is none any more. */
  #readNext(): boolean {
    let left = ENTRIES_A_STEP;
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      if (left-- === 0) return true;
      const entry = frame.entries[frame.next++];
      if (entry !== undefined) {
        this.#addChild(frame, entry);
        continue;
      }
      const expected = 2 + frame.subdirectories;
      if (frame.inode.nlink !== expected) {
        throw invalidImage(
          `directory nlink mismatch: on-disk nlink is ${frame.inode.nlink}, expected ${expected} (2 + ${frame.subdirectories} subdirectories)`,
        );
      }
      this.#stack.pop();
    }
    return false;
  }

  /** Reads all entries of a directory and makes it the one at work. */
  #enter(name: ByteString | undefined, inode: ErofsInode, { xattrs }: InodeXattrs): Directory {
    // Several entries for one directory would make a tree of exponential size of a small image.
    if (this.#directories.has(inode.nid)) throw directoryHardlinks();
    this.#directories.add(inode.nid);
    const directory = new Directory(readStat(inode, xattrs));
    const frame: Frame = { name, inode, directory, entries: [], next: 0, subdirectories: 0 };
    const parent = this.#stack.at(-1)?.inode ?? inode;
    if (this.#stack.length >= MAX_TREE_DEPTH) throw depthExceeded();
    this.#stack.push(frame);
    frame.entries = this.#readEntries(inode, parent);
    return directory;
  }

  #readEntries(inode: ErofsInode, parent: ErofsInode): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    let self: number | undefined;
    let up: number | undefined;
    const { start, end } = this.#image.inodeBlocks(inode);
    this.#budget.charge((end - start) * this.#image.blockSize);
    for (const part of this.#image.directoryParts(inode)) {
      for (const entry of directoryEntries(part)) {
        if (entry.name === DOT) {
          if (self !== undefined) throw duplicateEntry(entry.name);
          self = entry.nid;
        } else if (entry.name === DOT_DOT) {
          if (up !== undefined) throw duplicateEntry(entry.name);
          up = entry.nid;
        } else {
          entries.push(entry);
        }
      }
    }
    if (self !== inode.nid) throw invalidSelfReference();
    if (up !== parent.nid) throw invalidParentReference();
    return entries;
  }

  #addChild(frame: Frame, { name, nid }: DirectoryEntry): void {
    if (name === '' || name.includes('/') || name.includes('\0')) {
      throw invalidImage(`invalid name ${quoteBytes(name)} in directory`);
    }
    if (frame.directory.lookup(name) !== undefined) throw duplicateEntry(name);
    const known = this.#links.get(nid);
    if (known !== undefined && known.nlink > 1) {
      known.references++;
      frame.directory.insert(name, known.leaf);
      return;
    }
    const inode = this.#image.inode(nid);
    this.#budget.charge(inode.extent);
    const xattrs = this.#xattrs.read(inode);
    if (inode.isDirectory) {
      frame.subdirectories++;
      frame.directory.insert(name, this.#enter(name, inode, xattrs));
      return;
    }
    const isEscapedWhiteout = inode.isRegular && xattrs.isEscapedWhiteout;
    const isWhiteout = isEscapedWhiteout || inode.isWhiteout;
    if (isWhiteout && frame.name === undefined && /^[0-9a-fA-F]{2}$/.test(name)) return;
    const { nlink } = inode;
    if (isWhiteout && nlink > 1) {
      const message = `invalid composefs image: whiteout inode ${quoteBytes(name)} has nlink > 1`;
      throw new ErofsReaderError('invalid-image', message);
    }
    const content = isEscapedWhiteout ? WHITEOUT : this.#content(inode, xattrs, name);
    const stat = readStat(inode, xattrs.xattrs);
    if (nlink === 1) {
      frame.directory.insertLeaf(name, stat, content);
      return;
    }
    const leaf = new Leaf(stat, content);
    this.#links.set(nid, { leaf, nlink, references: 1 });
    frame.directory.insert(name, leaf);
  }

  #content(inode: ErofsInode, xattrs: InodeXattrs, name: ByteString): LeafContent {
    switch (inode.type) {
      case S_IFREG:
        return { type: 'regular', file: this.#file(inode, xattrs, name) };
      case S_IFLNK: {
        const limit = this.#limit(SYMLINK_MAX);
        if (inode.size > limit) {
          throw invalidImage(`symlink target for ${quoteBytes(name)} is ${BigInt(inode.size)} bytes (max ${limit})`);
        }
        return { type: 'symlink', target: byteStringFrom(this.#data(inode)) };
      }
      default: {
        const content = specialContent(inode);
        if (content === undefined)
          throw invalidImage(`unknown file type 0o${inode.type.toString(8)} for ${quoteBytes(name)}`);
        return content;
      }
    }
  }

  #file(inode: ErofsInode, { overlay }: InodeXattrs, name: ByteString): RegularFile {
    const id = metacopyDigest(overlay, this.#algorithm);
    if (id !== undefined) return { storage: 'external', id, size: inode.exactSize };
    const object = redirectObject(overlay, this.#algorithm);
    if (object !== undefined) {
      const payload = byteStringFromText(objectPathname(object));
      return { storage: 'external-no-verity', payload, size: inode.exactSize };
    }
    if (inode.layout === LAYOUT_CHUNK_BASED) return { storage: 'sparse', size: inode.exactSize };
    const limit = this.#limit(MAX_INLINE_CONTENT);
    if (inode.size > limit) {
      throw invalidImage(`inline regular file ${quoteBytes(name)} has size ${BigInt(inode.size)} (max ${limit})`);
    }
    return { storage: 'inline', data: this.#data(inode) };
  }

  /** V0 and V1 images are the C tools', which allow more. */
  #limit(limit: number): number {
    return this.#image.header.composefsVersion === 2 ? limit : Number.POSITIVE_INFINITY;
  }

  /** Blocks, then tail. A copy: the tree must not keep the image in memory. */
  #data(inode: ErofsInode): Buffer {
    const { start, end } = this.#image.inodeBlocks(inode);
    const { blockSize } = this.#image;
    this.#budget.charge((end - start) * blockSize);
    const blocks = this.#image.slice(start * blockSize, (end - start) * blockSize);
    const data = Buffer.concat([blocks, inode.inline() ?? EMPTY]);
    return data.length > inode.size ? data.subarray(0, inode.size) : data;
  }

  /** Adds the directories that lead to an error, the innermost first. */
  #withContext<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw this.#stack.reduceRight<unknown>((cause, { name }) => {
        const what = name === undefined ? 'reading root directory' : `reading directory ${quoteBytes(name)}`;
        return new ContextError(what, cause);
      }, error);
    }
  }
}
