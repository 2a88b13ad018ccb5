/** Numbers of the FUSE protocol (linux/fuse.h, 7.31 to 7.45). */

export const FUSE_MAJOR = 7;
/** What we speak: up to passthrough. The kernel adapts to an older server. */
export const FUSE_MINOR = 40;
/** Older kernels than this are refused: their structures are shorter. */
export const FUSE_MINOR_MIN = 23;

export const FUSE_LOOKUP = 1;
export const FUSE_FORGET = 2;
export const FUSE_GETATTR = 3;
export const FUSE_READLINK = 5;
export const FUSE_OPEN = 14;
export const FUSE_READ = 15;
export const FUSE_STATFS = 17;
export const FUSE_RELEASE = 18;
export const FUSE_GETXATTR = 22;
export const FUSE_LISTXATTR = 23;
export const FUSE_INIT = 26;
export const FUSE_OPENDIR = 27;
export const FUSE_READDIR = 28;
export const FUSE_RELEASEDIR = 29;
export const FUSE_DESTROY = 38;
export const FUSE_BATCH_FORGET = 42;
export const FUSE_READDIRPLUS = 44;
export const FUSE_LSEEK = 46;

/** `whence` of LSEEK. */
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** `flags` of INIT. */
export const INIT_ASYNC_READ: number = 1 << 0;
export const INIT_EXPORT_SUPPORT: number = 1 << 4;
export const INIT_DO_READDIRPLUS: number = 1 << 13;
export const INIT_READDIRPLUS_AUTO: number = 1 << 14;
export const INIT_ASYNC_DIO: number = 1 << 15;
export const INIT_PARALLEL_DIROPS: number = 1 << 18;
export const INIT_POSIX_ACL: number = 1 << 20;
export const INIT_MAX_PAGES: number = 1 << 22;
export const INIT_CACHE_SYMLINKS: number = 1 << 23;
export const INIT_NO_OPENDIR_SUPPORT: number = 1 << 24;
export const INIT_EXT: number = 1 << 30;
/** `flags2` of INIT: the bits from 32. */
export const INIT2_PASSTHROUGH: number = 1 << (37 - 32);

/** `open_flags` of the reply to OPEN. */
export const FOPEN_KEEP_CACHE = 2;
export const FOPEN_CACHE_DIR = 8;
export const FOPEN_NOFLUSH = 32;
export const FOPEN_PASSTHROUGH = 128;

/** The node of the mount's root. */
export const ROOT_NODE = 1;

/** Errors that a reply can have: `errno.h` of all Linux architectures but Alpha, MIPS, PA-RISC and SPARC. */
export const EIO = 5;
export const ENXIO = 6;
export const EBADF = 9;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ERANGE = 34;
export const ENOSYS = 38;
export const ENODATA = 61;
