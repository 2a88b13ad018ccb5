/**
 * Constants and versions of the composefs EROFS image (spec 20 §1 and §8; `fs/erofs/erofs_fs.h` of Linux).
 * All integers in an image are little-endian.
 */

export const BLOCK_BITS = 12;
export const BLOCK_SIZE = 4096;
/** Inodes begin at multiples of this; a *nid* is an inode's byte offset divided by it. */
export const SLOT_SIZE = 32;

export const COMPOSEFS_MAGIC = 0xd078629a;
export const COMPOSEFS_HEADER_SIZE = 32;
/** `version` of the composefs header: constant, not the format version. */
export const HEADER_VERSION = 1;
/** Some inode has a POSIX ACL: without this flag the image is mounted with `noacl`. */
export const FLAG_HAS_ACL = 1;

export const EROFS_MAGIC = 0xe0f5e1e2;
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 128;
/** Where the first inode (the root) may begin. */
export const INODES_OFFSET = 1152;

export const FEATURE_COMPAT_SB_CHKSUM = 1;
export const FEATURE_COMPAT_MTIME = 2;
export const FEATURE_COMPAT_XATTR_FILTER = 4;
export const FEATURE_INCOMPAT_CHUNKED_FILE = 4;

export const COMPACT_INODE_SIZE = 32;
export const EXTENDED_INODE_SIZE = 64;

/** Data layouts as in the `format` field: the EROFS layout number shifted left by one. */
export const LAYOUT_FLAT_PLAIN = 0;
export const LAYOUT_FLAT_INLINE = 4;
export const LAYOUT_CHUNK_BASED = 8;
export type DataLayout = typeof LAYOUT_FLAT_PLAIN | typeof LAYOUT_FLAT_INLINE | typeof LAYOUT_CHUNK_BASED;

/** File types in directory entries. */
export const FILE_TYPE_UNKNOWN = 0;
export const FILE_TYPE_REGULAR = 1;
export const FILE_TYPE_DIRECTORY = 2;
export const FILE_TYPE_CHARACTER_DEVICE = 3;
export const FILE_TYPE_BLOCK_DEVICE = 4;
export const FILE_TYPE_FIFO = 5;
export const FILE_TYPE_SOCKET = 6;
export const FILE_TYPE_SYMLINK = 7;

/** 0 and 1: the layout of the C tools (epoch 1). 2: the first layout of composefs-rs (epoch 2). */
export type FormatVersion = 0 | 1 | 2;
export type FormatEpoch = 1 | 2;

/** The format of images by default: what kernels and the C tools know, and composefs-rs since 0.9. */
export const DEFAULT_FORMAT_VERSION: FormatVersion = 1;
/** The versions in which an image may be named on a kernel command line, in the order in which they are tried. */
export const BOOT_VERSIONS: readonly [1, 2] = [1, 2];

export function isFormatVersion(value: unknown): value is FormatVersion {
  return value === 0 || value === 1 || value === 2;
}

export function formatEpoch(version: FormatVersion): FormatEpoch {
  return version === 2 ? 2 : 1;
}

/** Which images a repository makes of a tree: `default` carries the name, `extra` are made besides. */
export interface FormatConfig {
  readonly default: FormatVersion;
  readonly extra: readonly FormatVersion[];
}

export function formatConfigSingle(version: FormatVersion): FormatConfig {
  return { default: version, extra: [] };
}

/** What a new repository makes by default: images of {@link DEFAULT_FORMAT_VERSION} and no others. */
export const DEFAULT_FORMAT_CONFIG: FormatConfig = formatConfigSingle(DEFAULT_FORMAT_VERSION);

/** The versions of a configuration: the default first, then the others ascending, each once. */
export function formatVersions(config: FormatConfig): FormatVersion[] {
  const extra = new Set(config.extra);
  extra.delete(config.default);
  return [config.default, ...[...extra].sort((a, b) => a - b)];
}
