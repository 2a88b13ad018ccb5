import type { ByteString } from '../../bytes/byte-string.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../linux/constants.js';
import { LAYOUT_CHUNK_BASED } from '../erofs/format/constants.js';
import type { ErofsInode } from '../erofs/reader/inode.js';
import { type InodeXattrs, metacopyDigest, redirectObject } from '../erofs/reader/inode-xattrs.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Xattrs } from '../tree/stat.js';

/** An inode of an image, as the tree has it that the image was made of: without what overlayfs needs. */
export interface ImageEntry {
  readonly inode: ErofsInode;
  /** Type and permission bits, as `st_mode`. */
  readonly mode: number;
  /** Of a device; 0 for other types. */
  readonly rdev: number;
  /** In bytes; of a directory what its entries take in the image. */
  readonly size: number;
  readonly xattrs: Xattrs;
  /** The object that holds the content of a file; undefined for what the image itself holds. */
  readonly object: ObjectId | undefined;
}

/** @throws ErofsReaderError if a field is beyond what can be. */
export function imageEntry(
  inode: ErofsInode,
  { xattrs, isEscapedWhiteout, overlay }: InodeXattrs,
  algorithm: HashAlgorithm,
): ImageEntry {
  const { type } = inode;
  if (type === S_IFREG && isEscapedWhiteout) {
    return { inode, mode: S_IFCHR | (inode.mode & ~S_IFMT), rdev: 0, size: 0, xattrs, object: undefined };
  }
  const object =
    type === S_IFREG ? (metacopyDigest(overlay, algorithm) ?? redirectObject(overlay, algorithm)) : undefined;
  const rdev = type === S_IFCHR || type === S_IFBLK ? inode.u : 0;
  const size = type === S_IFREG || type === S_IFDIR || type === S_IFLNK ? inode.exactSize : 0;
  return { inode, mode: inode.mode, rdev, size, xattrs, object };
}

export function isDirectory({ mode }: ImageEntry): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

export function isSymlink({ mode }: ImageEntry): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}

export function isFile({ mode }: ImageEntry): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

/** Whether a file has a size and no content: zeros, which take no place. */
export function isSparse(entry: ImageEntry): boolean {
  return isFile(entry) && entry.object === undefined && entry.inode.layout === LAYOUT_CHUNK_BASED;
}

/** The stubs that the writer adds to the root (spec 20 §7): one whiteout for each directory of objects. */
export function isStub(name: ByteString, { mode, rdev }: ImageEntry): boolean {
  return (mode & S_IFMT) === S_IFCHR && rdev === 0 && /^[0-9a-f]{2}$/i.test(name);
}
