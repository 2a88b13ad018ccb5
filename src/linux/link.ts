import { constants } from 'node:os';
import { AT_EMPTY_PATH, AT_FDCWD } from './constants.js';
import { checkCall, SystemError } from './errno.js';
import { cString, lastErrno, libcFunction } from './ffi.js';

const { EINVAL, ENOENT, EPERM } = constants.errno;
const AT_SYMLINK_FOLLOW = 0x400;
const RENAME_NOREPLACE = 1;

type TwoPaths = [fromDirFd: number, from: Buffer, toDirFd: number, to: Buffer, flags: number];
const linkat = libcFunction<TwoPaths, number>('linkat', 'int', ['int', 'const void *', 'int', 'const void *', 'int']);
const renameat2 = libcFunction<TwoPaths, number>('renameat2', 'int', [
  'int',
  'const void *',
  'int',
  'const void *',
  'unsigned int',
]);

/** With text, which koffi passes on sooner than a buffer can be made of it. */
const linkatText = libcFunction<[fd: number, empty: string, toDirFd: number, to: string, flags: number], number>(
  'linkat',
  'int',
  ['int', 'const char *', 'int', 'const char *', 'int'],
);

/** False when it has turned out that only the way through `/proc` is open. */
let linksByDescriptor = true;

/** What the kernel, or a sandbox, may answer where that way is not open. It cannot be told from a directory that is missing. */
const MAYBE_NOT_OPEN: ReadonlySet<number> = new Set([ENOENT, EPERM, EINVAL]);

/**
 * Gives an open file, also an anonymous one (`O_TMPFILE`), the name `path`. Needs no privilege, but `/proc` where
 * CAP_DAC_READ_SEARCH is missing and Linux is older than 6.10.
 *
 * @throws SystemError EEXIST if the name is taken.
 */
export function linkFd(fd: number, path: string | Buffer): void {
  if (!linksByDescriptor || typeof path !== 'string' || path.includes('\0')) linkThroughProc(fd, path);
  else if (!linkByDescriptor(fd, path)) {
    // Where this fails as well it is the path's fault, such as a directory that is missing.
    linkThroughProc(fd, path);
    linksByDescriptor = false;
  }
}

/**
 * A pull does this for each object: it takes 2.3 µs, and 3.7 through `/proc`.
 *
 * @returns false if it may not be possible.
 */
function linkByDescriptor(fd: number, path: string): boolean {
  if (linkatText(fd, '', AT_FDCWD, path, AT_EMPTY_PATH) === 0) return true;
  const errno = lastErrno();
  if (MAYBE_NOT_OPEN.has(errno)) return false;
  throw new SystemError(errno, 'linkat', path);
}

function linkThroughProc(fd: number, path: string | Buffer): void {
  const source = cString(procPath(fd));
  checkCall(linkat(AT_FDCWD, source, AT_FDCWD, cString(path), AT_SYMLINK_FOLLOW), 'linkat', path);
}

/**
 * Gives an open file one more name, whatever its present ones are. Needs CAP_DAC_READ_SEARCH.
 *
 * @throws SystemError EEXIST if the name is taken, ENOENT without the capability.
 */
export function linkOpenFile(fd: number, path: string | Buffer): void {
  checkCall(linkat(fd, cString(''), AT_FDCWD, cString(path), AT_EMPTY_PATH), 'linkat', path);
}

/**
 * Renames, unless there is something of the new name.
 *
 * @throws SystemError EEXIST if the name is taken; EINVAL where the file system cannot do it.
 */
export function renameNoReplace(from: string | Buffer, to: string | Buffer): void {
  checkCall(renameat2(AT_FDCWD, cString(from), AT_FDCWD, cString(to), RENAME_NOREPLACE), 'renameat2', to);
}

/** A path to what a descriptor of this process stands for, also if that has no name. */
export function procPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

const mknod = libcFunction<[path: Buffer, mode: number, device: number], number>('mknod', 'int', [
  'const void *',
  'unsigned int',
  'uint64_t',
]);

/**
 * Makes a device node, FIFO or socket.
 *
 * @param mode type and permission bits; subject to the umask.
 * @param device `st_rdev` of a device, else 0.
 * @throws SystemError EPERM for devices other than 0:0 without CAP_MKNOD.
 */
export function makeNode(path: Buffer | string, mode: number, device: number): void {
  checkCall(mknod(cString(path), mode, device), 'mknod', path);
}
