import type { ByteString } from '../../bytes/byte-string.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from './directory.js';
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

export type Inode = Directory | Leaf;

/** Bytes that a regular file shows. */
export function fileSize(file: RegularFile): number {
  return file.storage === 'inline' ? file.data.length : file.size;
}

/** A whiteout of overlayfs: a character device 0:0. */
export function isWhiteout(content: LeafContent): boolean {
  return content.type === 'character-device' && content.rdev === 0;
}

/** `S_IFMT` bits. */
export const S_IFDIR = 0o040000;

const TYPE_BITS: Readonly<Record<LeafContent['type'], number>> = {
  regular: 0o100000,
  symlink: 0o120000,
  'block-device': 0o060000,
  'character-device': 0o020000,
  fifo: 0o010000,
  socket: 0o140000,
};

/** The `S_IFMT` bits of a leaf's type. */
export function fileTypeBits(content: LeafContent): number {
  return TYPE_BITS[content.type];
}
