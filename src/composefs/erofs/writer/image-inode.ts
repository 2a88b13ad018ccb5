import type { ByteString } from '../../../bytes/byte-string.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from '../../../linux/constants.js';
import type { Leaf, LeafContent } from '../../tree/inode.js';
import { Directory, fileTypeBits } from '../../tree/inode.js';
import type { Stat } from '../../tree/stat.js';
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
  SLOT_SIZE,
} from '../format/constants.js';
import type { DirectoryGroups } from './directory-layout.js';
import type { XattrEntry } from './xattr-table.js';

/** What an inode becomes in the image: overlay whiteouts are escaped, stubs are not (spec 20 §3.1, §3.5). */
export type Role = 'plain' | 'stub' | 'escaped-whiteout';

// One for all inodes that have none: most are leaves.
const NO_NAMES: readonly ByteString[] = [];
const NO_TARGETS: readonly ImageInode[] = [];
const NO_ENTRIES: readonly XattrEntry[] = [];

/** An inode on its way into an image. One class for all types: later steps fill in what earlier ones made possible. */
export class ImageInode {
  readonly source: Directory | Leaf;
  readonly role: Role;
  /** What the inode holds; undefined for directories and escaped whiteouts, which hold nothing of their own. */
  readonly content: LeafContent | undefined;
  readonly fileType: number;
  /** Type and permission bits as stored. */
  readonly mode: number;
  nlink: number;

  /** Directories: all entries in byte order of names, `.` and `..` among them. */
  names: readonly ByteString[] = NO_NAMES;
  targets: readonly ImageInode[] = NO_TARGETS;
  hasWhiteouts = false;
  /** V0 and V1, several links: the directory at whose turn the inode is numbered, and if set the only name there. */
  home: ImageInode | undefined;
  homeName: ByteString | undefined;

  /** Index in the image's order; -1 before it is known. */
  number = -1;
  xattrs: readonly XattrEntry[] = NO_ENTRIES;
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
  groups: DirectoryGroups | undefined;
  /** Byte offset in the image. */
  position = 0;

  constructor(source: Directory | Leaf, role: Role) {
    this.source = source;
    this.role = role;
    this.content = source instanceof Directory || role === 'escaped-whiteout' ? undefined : source.content;
    const typeBits = role === 'escaped-whiteout' ? S_IFREG : typeBitsOf(source);
    this.fileType = direntFileType(typeBits);
    this.mode = typeBits | (source.stat.mode & 0o7777);
    this.nlink = source instanceof Directory ? 2 : 0;
  }

  get stat(): Stat {
    return this.source.stat;
  }

  get nid(): number {
    return this.position / SLOT_SIZE;
  }
}

function typeBitsOf(source: Directory | Leaf): number {
  return source instanceof Directory ? S_IFDIR : fileTypeBits(source.content);
}

function direntFileType(typeBits: number): number {
  switch (typeBits) {
    case S_IFDIR:
      return FILE_TYPE_DIRECTORY;
    case S_IFLNK:
      return FILE_TYPE_SYMLINK;
    case S_IFBLK:
      return FILE_TYPE_BLOCK_DEVICE;
    case S_IFCHR:
      return FILE_TYPE_CHARACTER_DEVICE;
    case S_IFIFO:
      return FILE_TYPE_FIFO;
    case S_IFSOCK:
      return FILE_TYPE_SOCKET;
    default:
      return FILE_TYPE_REGULAR;
  }
}
