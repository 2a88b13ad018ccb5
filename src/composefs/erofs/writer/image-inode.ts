import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from '../../../linux/constants.js';
import { type LeafTable, ROW_KIND } from '../../tree/leaf-table.js';
import { NO_XATTRS, type Xattrs } from '../../tree/stat.js';
import {
  type DataLayout,
  FILE_TYPE_BLOCK_DEVICE,
  FILE_TYPE_CHARACTER_DEVICE,
  FILE_TYPE_DIRECTORY,
  FILE_TYPE_FIFO,
  FILE_TYPE_REGULAR,
  FILE_TYPE_SOCKET,
  FILE_TYPE_SYMLINK,
  LAYOUT_FLAT_PLAIN,
} from '../format/constants.js';
import type { DirectoryGroups } from './directory-layout.js';
import type { XattrEntry } from './xattr-table.js';

/** What an inode holds. An overlay whiteout that is escaped holds nothing of its own (spec 20 §3.5). */
export const INODE_KIND: typeof ROW_KIND & { readonly DIRECTORY: 10; readonly ESCAPED_WHITEOUT: 11 } = {
  ...ROW_KIND,
  DIRECTORY: 10,
  ESCAPED_WHITEOUT: 11,
};
export type InodeKind = (typeof INODE_KIND)[keyof typeof INODE_KIND];

const TYPES: Readonly<Record<InodeKind, readonly [mode: number, direntType: number]>> = {
  [INODE_KIND.INLINE]: [S_IFREG, FILE_TYPE_REGULAR],
  [INODE_KIND.EXTERNAL]: [S_IFREG, FILE_TYPE_REGULAR],
  [INODE_KIND.EXTERNAL_ELSEWHERE]: [S_IFREG, FILE_TYPE_REGULAR],
  [INODE_KIND.NO_VERITY]: [S_IFREG, FILE_TYPE_REGULAR],
  [INODE_KIND.SPARSE]: [S_IFREG, FILE_TYPE_REGULAR],
  [INODE_KIND.SYMLINK]: [S_IFLNK, FILE_TYPE_SYMLINK],
  [INODE_KIND.BLOCK_DEVICE]: [S_IFBLK, FILE_TYPE_BLOCK_DEVICE],
  [INODE_KIND.CHARACTER_DEVICE]: [S_IFCHR, FILE_TYPE_CHARACTER_DEVICE],
  [INODE_KIND.FIFO]: [S_IFIFO, FILE_TYPE_FIFO],
  [INODE_KIND.SOCKET]: [S_IFSOCK, FILE_TYPE_SOCKET],
  [INODE_KIND.DIRECTORY]: [S_IFDIR, FILE_TYPE_DIRECTORY],
  [INODE_KIND.ESCAPED_WHITEOUT]: [S_IFREG, FILE_TYPE_REGULAR],
};

/** The `S_IFMT` bits of what an inode becomes in the image. */
export function typeBitsOf(kind: InodeKind): number {
  return TYPES[kind][0];
}

/** The type in a directory entry. */
export function direntTypeOf(kind: InodeKind): number {
  return TYPES[kind][1];
}

/**
 * The inode at work, on its way into an image. One object for all of them, one after the other: what follows from the tree,
 * and what its layout adds to that.
 */
export class ImageInode {
  index = 0;
  kind: InodeKind = INODE_KIND.FIFO;
  /** Type and permission bits as stored. */
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  mtimeSec = 0;
  mtimeNsec = 0;
  /** Those of the tree. */
  treeXattrs: Xattrs = NO_XATTRS;
  isRoot = false;
  hasWhiteouts = false;
  /** Where the leaf is. */
  leaves: LeafTable;
  row = 0;
  /** Bytes that a regular file shows, length of a target; or a device number. */
  contentSize = 0;
  /** The number of the object that a file has, in the order in which they are met; -1: none that is known yet. */
  object = -1;

  xattrs: readonly XattrEntry[] = [];
  sharedCount = 0;
  /** Bytes of the xattr area. */
  xattrSize = 0;
  isCompact = false;
  layout: DataLayout = LAYOUT_FLAT_PLAIN;
  /** `i_size`. */
  size = 0;
  /** Bytes that follow the xattr area. */
  tailSize = 0;
  blockCount = 0;
  /** Content that would follow the xattr area is in a block of its own. */
  isPromoted = false;
  /** Device number or chunk format; the first block where there are blocks. */
  u = 0;
  /** Of a directory. */
  groups: DirectoryGroups | undefined;

  constructor(leaves: LeafTable) {
    this.leaves = leaves;
  }
}
