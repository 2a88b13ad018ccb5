import { type ByteString, byteStringFrom, byteStringFromText, sliceBytes } from '../../../bytes/byte-string.js';
import { ComposefsError } from '../../../errors.js';
import { digestSize } from '../../fsverity/algorithm.js';
import { type ObjectId, objectIdFromBytes, objectPathname } from '../../fsverity/object-id.js';
import { Directory } from '../../tree/directory.js';
import { type Inode, Leaf, type LeafContent, type RegularFile } from '../../tree/inode.js';
import type { LeafOrigin } from '../../tree/leaf-origin.js';
import type { Stat } from '../../tree/stat.js';
import {
  BLOCK_SIZE,
  COMPOSEFS_MAGIC,
  EROFS_MAGIC,
  HEADER_VERSION,
  LAYOUT_CHUNK_BASED,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from '../format.js';
import { METACOPY_HEADER_SIZE } from '../metacopy.js';
import {
  ESCAPED_WHITEOUT,
  ESCAPED_WHITEOUTS,
  isOverlayName,
  OVERLAY_METACOPY,
  OVERLAY_REDIRECT,
  USER_WHITEOUT,
  USER_WHITEOUTS,
  unescapeOverlayName,
} from '../overlay-names.js';
import { ReadBudget } from './budget.js';
import { directoryEntries } from './directory-block.js';
import { depthExceeded, directoryHardlinks, duplicateEntry, ErofsReaderError } from './errors.js';
import { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';
import type { Xattr } from './xattr.js';

/** Limits of the C tools. */
const INLINE_CONTENT_MAX = 5000;
const SYMLINK_TARGET_MAX = 4095;
const MAX_DEPTH = 2048;
/** Their digests are SHA-256 only. */
const METACOPY_SIZE = METACOPY_HEADER_SIZE + digestSize('sha256');

/** What an image stores of an inode, and a tree does not hold. */
export interface StoredCounts {
  /** `i_size`. */
  readonly size: number;
  readonly nlink: number;
}

export interface CTree {
  readonly root: Directory;
  /** Where each leaf was first met, for writing the image again. */
  readonly origins: ReadonlyMap<Leaf, LeafOrigin>;
  readonly stored: ReadonlyMap<Inode, StoredCounts>;
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

interface CXattrs {
  readonly xattrs: Map<ByteString, ByteString>;
  isWhiteout: boolean;
  digest: ObjectId | undefined;
  payload: ByteString | undefined;
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
  readonly #inodes = new Map<number, Inode>();
  readonly #origins = new Map<Leaf, LeafOrigin>();
  readonly #stored = new Map<Inode, StoredCounts>();
  readonly #stack: Frame[] = [];

  constructor(image: ErofsImage, options: CReadOptions) {
    this.#image = image;
    this.#topLevel = options.topLevel;
    this.#budget = new ReadBudget(image.length);
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
    return { root, origins: this.#origins, stored: this.#stored };
  }

  #isWanted(name: ByteString): boolean {
    return this.#topLevel === undefined || this.#stack.length > 1 || this.#topLevel.has(name);
  }

  #enter(inode: ErofsInode): Directory {
    if (this.#stack.length >= MAX_DEPTH) throw depthExceeded();
    const { xattrs } = this.#readXattrs(inode);
    const directory = new Directory(readStat(inode, xattrs));
    this.#inodes.set(inode.nid, directory);
    this.#stored.set(directory, { size: inode.exactSize, nlink: inode.nlink });
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
    if (directory.lookup(name) !== undefined) throw duplicateEntry(name);
    const known = this.#inodes.get(nid);
    if (known instanceof Directory) throw directoryHardlinks();
    if (known !== undefined) {
      directory.insert(name, known);
      return;
    }
    const inode = this.#image.inode(nid);
    if (inode.isWhiteout) return;
    if (inode.isDirectory) {
      directory.insert(name, this.#enter(inode));
      return;
    }
    const found = this.#readXattrs(inode);
    const leaf = new Leaf(readStat(inode, found.xattrs), this.#content(inode, found));
    directory.insert(name, leaf);
    this.#inodes.set(nid, leaf);
    this.#origins.set(leaf, { directory, name, nlink: inode.nlink });
    this.#stored.set(leaf, { size: found.isWhiteout ? 0 : inode.exactSize, nlink: inode.nlink });
  }

  /** Local, then shared; the last of a name counts. */
  #readXattrs(inode: ErofsInode): CXattrs {
    this.#budget.charge(inode.extent);
    const found: CXattrs = { xattrs: new Map(), isWhiteout: false, digest: undefined, payload: undefined };
    const end = inode.offset + inode.headerSize + inode.xattrSize;
    for (const xattr of inode.localXattrs()) {
      // The C reader's loop ends one entry header early: an empty value without a suffix is not seen in last place.
      if (xattr.offset + 4 < end) addXattr(found, inode, xattr);
    }
    for (const id of inode.sharedXattrIds()) {
      const xattr = this.#image.sharedXattr(id);
      addXattr(found, inode, xattr);
    }
    return found;
  }

  #content(inode: ErofsInode, found: CXattrs): LeafContent {
    switch (inode.type) {
      case S_IFREG:
        if (found.isWhiteout) return { type: 'character-device', rdev: 0 };
        return { type: 'regular', file: this.#file(inode, found) };
      case S_IFLNK:
        return { type: 'symlink', target: byteStringFrom(this.#data(inode, SYMLINK_TARGET_MAX)) };
      case S_IFCHR:
        return { type: 'character-device', rdev: inode.u };
      case S_IFBLK:
        return { type: 'block-device', rdev: inode.u };
      case S_IFIFO:
        return { type: 'fifo' };
      case S_IFSOCK:
        return { type: 'socket' };
      default:
        throw invalid(`file type 0o${inode.type.toString(8)}`);
    }
  }

  #file(inode: ErofsInode, { digest, payload }: CXattrs): RegularFile {
    if (inode.size === 0) return { storage: 'inline', data: Buffer.alloc(0) };
    if (inode.layout !== LAYOUT_CHUNK_BASED) return { storage: 'inline', data: this.#data(inode, INLINE_CONTENT_MAX) };
    const size = inode.exactSize;
    if (digest !== undefined) {
      const isUsual = payload === objectPathname(digest);
      return isUsual
        ? { storage: 'external', id: digest, size }
        : { storage: 'external', id: digest, size, payload: payload ?? NO_PAYLOAD };
    }
    return payload === undefined ? { storage: 'sparse', size } : { storage: 'external-no-verity', payload, size };
  }

  /** Blocks, then tail. */
  #data(inode: ErofsInode, limit: number): Buffer {
    if (inode.size > limit) throw invalid(`content of ${BigInt(inode.size)} bytes`);
    const { start, end } = this.#image.inodeBlocks(inode);
    const { blockSize } = this.#image;
    const blocks = this.#image.slice(start * blockSize, (end - start) * blockSize);
    const tail = inode.inline();
    return Buffer.concat(tail === undefined ? [blocks] : [blocks, tail]).subarray(0, inode.size);
  }
}

/** A digest without a path. */
const NO_PAYLOAD: ByteString = byteStringFromText('');

function addXattr(found: CXattrs, inode: ErofsInode, xattr: Xattr): void {
  const { name } = xattr;
  switch (name) {
    case OVERLAY_REDIRECT: {
      if (!inode.isRegular) return;
      const path = xattr.valueBytes;
      found.payload = path.length > 1 && path.startsWith('/') ? sliceBytes(path, 1) : path;
      return;
    }
    case OVERLAY_METACOPY:
      if (!inode.isRegular || xattr.valueSize !== METACOPY_SIZE) return;
      found.digest = objectIdFromBytes(xattr.value.subarray(METACOPY_HEADER_SIZE));
      return;
    case ESCAPED_WHITEOUT:
      if (inode.isRegular) found.isWhiteout = true;
      else found.xattrs.set(unescapeOverlayName(name) ?? name, xattr.valueBytes);
      return;
    case ESCAPED_WHITEOUTS:
    case USER_WHITEOUT:
    case USER_WHITEOUTS:
      return;
  }
  const unescaped = unescapeOverlayName(name);
  if (unescaped === undefined && isOverlayName(name)) return;
  // A name that is set again moves to the end.
  const ownName = unescaped ?? name;
  found.xattrs.delete(ownName);
  found.xattrs.set(ownName, xattr.valueBytes);
}

function readStat(inode: ErofsInode, xattrs: ReadonlyMap<ByteString, ByteString>): Stat {
  const { uid, gid, mtimeSec, mtimeNsec } = inode;
  return { mode: inode.mode & 0o7777, uid, gid, mtimeSec, mtimeNsec, xattrs };
}

function invalid(what: string): ErofsReaderError {
  return new ErofsReaderError('invalid-image', `Invalid argument: ${what}`);
}
