import type { ByteString } from '../../bytes/byte-string.js';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from '../../linux/constants.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Stat } from './stat.js';

/**
 * The content of a regular file.
 *
 * - `inline`: in the image itself (up to 64 bytes when we choose; images of others may have more).
 * - `external`: an object, verified by its digest. `payload` is set only where the path to the object is not
 *   `xx/yyyy…` of the digest: the C tools let a dumpfile say anything. Empty: the image names no path at all.
 * - `external-no-verity`: an object named by `payload` (normally `xx/yyyy…`), whose digest the image does not state.
 * - `sparse`: a size and no content.
 */
export type RegularFile =
  | { readonly storage: 'inline'; readonly data: Buffer }
  | { readonly storage: 'external'; readonly id: ObjectId; readonly size: number; readonly payload?: ByteString }
  | { readonly storage: 'external-no-verity'; readonly payload: ByteString; readonly size: number }
  | { readonly storage: 'sparse'; readonly size: number };

/** What a leaf is, with its content. `rdev` is as Linux encodes it in 32 bits (`new_encode_dev`). */
export type LeafContent =
  | { readonly type: 'regular'; readonly file: RegularFile }
  | { readonly type: 'block-device'; readonly rdev: number }
  | { readonly type: 'character-device'; readonly rdev: number }
  | { readonly type: 'fifo' }
  | { readonly type: 'socket' }
  | { readonly type: 'symlink'; readonly target: ByteString };

/**
 * Anything but a directory. **Hard links are entries with the identical Leaf object**; equal content in two Leaf
 * objects is two inodes. Link counts are never stored, they are counted ({@link countLinks}).
 */
export class Leaf {
  stat: Stat;
  content: LeafContent;

  constructor(stat: Stat, content: LeafContent) {
    this.stat = stat;
    this.content = content;
  }
}

/** What a name in a directory leads to. */
export type Inode = Directory | Leaf;

/** Bytes that a regular file shows. */
export function fileSize(file: RegularFile): number {
  return file.storage === 'inline' ? file.data.length : file.size;
}

/** What overlayfs hides a name with: a character device 0:0. */
export const WHITEOUT: LeafContent = { type: 'character-device', rdev: 0 };

/** Whether overlayfs takes it for a whiteout: a character device 0:0. */
export function isWhiteout(content: LeafContent): boolean {
  return content.type === 'character-device' && content.rdev === 0;
}

const TYPE_BITS: Readonly<Record<LeafContent['type'], number>> = {
  regular: S_IFREG,
  symlink: S_IFLNK,
  'block-device': S_IFBLK,
  'character-device': S_IFCHR,
  fifo: S_IFIFO,
  socket: S_IFSOCK,
};

/** Major and minor number, as Linux packs them in 32 bits (`new_decode_dev` of linux/kdev_t.h). */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}

/** The `S_IFMT` bits of a leaf's type. */
export function fileTypeBits(content: LeafContent): number {
  return TYPE_BITS[content.type];
}

/** A directory: names to inodes. It has exactly one parent; directories cannot be hard linked. */
export class Directory {
  stat: Stat;
  readonly #entries = new Map<ByteString, Inode>();
  /** Names in byte order, made when asked for; undefined after a name came or went. */
  #sorted: readonly ByteString[] | undefined;

  constructor(stat: Stat) {
    this.stat = stat;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** What a name leads to; undefined if there is no such entry. */
  lookup(name: ByteString): Inode | undefined {
    return this.#entries.get(name);
  }

  /** Replaces anything of that name, also a whole subtree. True if the name was new. */
  insert(name: ByteString, inode: Inode): boolean {
    const { size } = this.#entries;
    this.#entries.set(name, inode);
    if (this.#entries.size === size) return false;
    this.#sorted = undefined;
    return true;
  }

  /** A directory over a directory gives it its stat and leaves the entries; anything else replaces. */
  merge(name: ByteString, inode: Inode): void {
    const existing = this.#entries.get(name);
    if (existing instanceof Directory && inode instanceof Directory) existing.stat = inode.stat;
    else this.insert(name, inode);
  }

  /** Removes an entry, if it is there. */
  remove(name: ByteString): void {
    if (this.#entries.delete(name)) this.#sorted = undefined;
  }

  /** Drops all entries, keeps the stat. */
  clear(): void {
    this.#entries.clear();
    this.#sorted = undefined;
  }

  /** The names in byte order. */
  names(): readonly ByteString[] {
    // One char per byte: the default order of strings is byte order.
    this.#sorted ??= [...this.#entries.keys()].sort();
    return this.#sorted;
  }

  /** What the names lead to, in no particular order. */
  inodes(): IterableIterator<Inode> {
    return this.#entries.values();
  }

  /** The entries in byte order of their names. */
  *entries(): Generator<readonly [ByteString, Inode]> {
    for (const name of this.names()) {
      const inode = this.#entries.get(name);
      if (inode !== undefined) yield [name, inode];
    }
  }
}
