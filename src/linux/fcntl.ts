/** Of linux/fcntl.h, the same on all architectures. */

/** In place of a directory's descriptor: the current directory. */
export const AT_FDCWD = -100;
/** With an empty path: the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
/** `open(2)`, missing in `fs.constants`. A descriptor that only names the file: neither read nor write. */
export const O_PATH = 0o10000000;
/** `open(2)`, missing in `fs.constants`. libuv adds it to every descriptor that it opens. */
export const O_CLOEXEC = 0o2000000;
