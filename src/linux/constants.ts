import { constants } from 'node:fs';

/** Constants of the kernel's headers, the same on all architectures: what Node lacks, and under one name what it has. */

/** In place of a directory's descriptor: the current directory. */
export const AT_FDCWD = -100;
/** With an empty path: the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
/** Of a symlink itself. */
export const AT_SYMLINK_NOFOLLOW = 0x100;

/** `open(2)`. A descriptor that only names the file: neither read nor write. */
export const O_PATH = 0o10000000;
/** `open(2)`. libuv adds it to every descriptor that it opens. */
export const O_CLOEXEC = 0o2000000;
/** `open(2)`: `__O_TMPFILE | O_DIRECTORY`. A new file without a name, in the directory that is opened. */
export const O_TMPFILE: number = 0o20000000 | constants.O_DIRECTORY;

/** The type of a file in its `st_mode` (`inode(7)`). Images and dumpfiles have the same numbers. */
export const S_IFMT: number = constants.S_IFMT;
export const S_IFSOCK: number = constants.S_IFSOCK;
export const S_IFLNK: number = constants.S_IFLNK;
export const S_IFREG: number = constants.S_IFREG;
export const S_IFBLK: number = constants.S_IFBLK;
export const S_IFDIR: number = constants.S_IFDIR;
export const S_IFCHR: number = constants.S_IFCHR;
export const S_IFIFO: number = constants.S_IFIFO;

/** Bytes of a name in a directory. */
export const NAME_MAX = 255;

/** How many symlinks are followed on the way along one path (`MAXSYMLINKS` of include/linux/namei.h). */
export const MAXSYMLINKS = 40;
