import type { ByteString } from '../../bytes/byte-string.js';

/** Extended attributes by name, `user.` and the like included; values are bytes. */
export type Xattrs = ReadonlyMap<ByteString, ByteString>;

/** The xattrs of an inode that has none. */
export const NO_XATTRS: Xattrs = new Map();

/**
 * The metadata of an inode. Immutable: to change it, give the inode a new one, so that equal stats can be shared.
 */
export interface Stat {
  /** Permission bits only: `st_mode & 0o7777`. The type is the inode's own. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch, may be negative; a safe integer. */
  readonly mtimeSec: number;
  /** 0 to 999,999,999. */
  readonly mtimeNsec: number;
  /** In any order: whoever writes them sorts by name bytes. */
  readonly xattrs: Xattrs;
}

/** A directory that nobody has given metadata. */
export const DEFAULT_DIRECTORY_STAT: Stat = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSec: 0,
  mtimeNsec: 0,
  xattrs: NO_XATTRS,
};

/** All zero: the root of a tree whose metadata is not known yet. */
export const UNINITIALIZED_STAT: Stat = { mode: 0, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };
