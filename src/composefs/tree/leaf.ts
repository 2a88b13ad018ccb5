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
