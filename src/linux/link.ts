import { AT_EMPTY_PATH, AT_FDCWD } from './constants.js';
import { checkCall } from './errno.js';
import { cString, libcFunction } from './ffi.js';

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

/**
 * Gives an open file, also an anonymous one (`O_TMPFILE`), the name `path`. Needs no privilege, but `/proc`.
 *
 * @throws SystemError EEXIST if the name is taken.
 */
export function linkFd(fd: number, path: string | Buffer): void {
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
