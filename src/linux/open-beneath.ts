import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { ComposefsError, errorCode } from '../errors.js';
import { withoutTermination } from '../threads/thread-side.js';
import { closeForeign } from './close.js';
import { O_CLOEXEC, O_PATH } from './constants.js';
import { SystemError } from './errno.js';
import { cString, lastErrno, libcFunction } from './ffi.js';
import { procPath } from './link.js';

const { ENOENT, ENOSYS, EPERM } = osConstants.errno;

/** The same on all architectures but Alpha. */
const SYS_OPENAT2 = 437;

/** `RESOLVE_*` of linux/openat2.h: no other mount, no links into `/proc`, no symlinks, not out of the directory. */
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
/** Symlinks are followed as if the directory were the root. */
const RESOLVE_IN_ROOT = 0x10;

const O_DIRECTORY_PATH = O_PATH | constants.O_DIRECTORY;

const OPEN_HOW = directoryHow(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
const OPEN_HOW_IN_ROOT = directoryHow(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT);

const openat2 = libcFunction<[number: number, dirFd: number, path: Buffer, how: Buffer, size: number], number>(
  'syscall',
  'long',
  ['long', 'int', 'const void *', 'const void *', 'long'],
);

/** Linux 5.6, a C library that can be called, and no sandbox that knows nothing of the call. */
let hasOpenat2 = true;

/**
 * Runs `action` with the `O_PATH` descriptor of a directory below another one, which was reached without following a
 * symlink: whoever may write there cannot make the path lead anywhere else. Nor is a mount below `dirFd` entered, where
 * the kernel has `openat2(2)`; elsewhere the components are opened one by one.
 *
 * @param path relative, without `..`; empty for the directory itself. Text is UTF-8.
 * @param name what errors call the directory.
 * @throws `ELOOP` for a symlink, `EXDEV` for a mount, and what `open(2)` throws.
 */
export function withDirectoryBeneath<T>(
  dirFd: number,
  path: string | Buffer,
  name: string | Buffer,
  action: (fd: number) => T,
): T {
  if (path.length === 0) return action(dirFd);
  if (!hasOpenat2) return stepByStep(dirFd, path, action);
  // Of a thread that is ended in between nobody would close the descriptor.
  return withoutTermination(() => {
    const fd = openWithKernel(dirFd, path, name);
    if (fd === undefined) return stepByStep(dirFd, path, action);
    try {
      return action(fd);
    } finally {
      closeForeign(fd);
    }
  });
}

/** An `O_PATH` descriptor of a directory, which the owner closes; at the latest it is closed with the thread. */
export interface OpenDirectory {
  readonly fd: number;
  close(): void;
}

/**
 * Opens a directory as {@link withDirectoryBeneath} reaches it; undefined if there is none. Without an exception, which
 * takes longer than to make a directory.
 *
 * @param path not empty.
 * @throws as {@link withDirectoryBeneath}, but for `ENOENT`.
 */
export function findDirectoryBeneath(dirFd: number, path: string, name: string): OpenDirectory | undefined {
  return withoutTermination(() => {
    const fd = hasOpenat2 ? callOpenat2(dirFd, path, OPEN_HOW) : undefined;
    if (fd === -ENOENT) return undefined;
    if (fd !== undefined) return ownDirectory(requireDescriptor(fd, name));
    try {
      return stepByStep(dirFd, path, openAgain);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/**
 * Opens a directory below another one. Symlinks on the way are followed as if `dirFd` were the root (`RESOLVE_IN_ROOT`):
 * none leads out, and no mount is entered.
 *
 * @param path relative; empty for the directory itself.
 * @throws SystemError; where the kernel has no `openat2(2)`, ComposefsError `ELOOP` for any symlink.
 */
export function openDirectoryInRoot(dirFd: number, path: Buffer): OpenDirectory {
  if (path.length === 0) return openAgain(dirFd);
  return withoutTermination(() => {
    const fd = hasOpenat2 ? openWithKernel(dirFd, path, path, OPEN_HOW_IN_ROOT) : undefined;
    return fd === undefined ? stepByStep(dirFd, path, openAgain) : ownDirectory(fd);
  });
}

/** @param fd of `openat2`. Node closes what a thread has opened, but not what it does not know, however the thread ends. */
function ownDirectory(fd: number): OpenDirectory {
  if (isMainThread) return { fd, close: () => closeForeign(fd) };
  try {
    return openAgain(fd);
  } finally {
    closeForeign(fd);
  }
}

/** Another descriptor of a directory, which the caller closes. */
function openAgain(directory: number): OpenDirectory {
  const fd = openSync(`${procPath(directory)}/.`, O_DIRECTORY_PATH);
  return { fd, close: () => closeSync(fd) };
}

/**
 * Opens a file below a directory, as {@link withDirectoryBeneath} reaches it; a symlink as the last component is not
 * followed either.
 *
 * @param flags as for `open(2)`; `O_NOFOLLOW` and `O_CLOEXEC` are added.
 * @param mode of a new file, less the umask.
 */
export function openBeneath(dirFd: number, path: string | Buffer, flags: number, mode = 0): number {
  const slash = path.lastIndexOf('/');
  if (typeof path === 'string') {
    const name = path.slice(slash + 1);
    const parent = path.slice(0, Math.max(slash, 0));
    return withDirectoryBeneath(dirFd, parent, parent, (fd) => openStep(`${procPath(fd)}/${name}`, flags, mode));
  }
  const name = path.subarray(slash + 1);
  const parent = path.subarray(0, Math.max(slash, 0));
  return withDirectoryBeneath(dirFd, parent, parent, (fd) =>
    openStep(Buffer.concat([Buffer.from(`${procPath(fd)}/`), name]), flags, mode),
  );
}

/** Undefined where there is no such call. */
function openWithKernel(
  dirFd: number,
  path: string | Buffer,
  name: string | Buffer,
  how: Buffer = OPEN_HOW,
): number | undefined {
  const fd = callOpenat2(dirFd, path, how);
  return fd === undefined ? undefined : requireDescriptor(fd, name);
}

/** @param fd of {@link callOpenat2}. */
function requireDescriptor(fd: number, name: string | Buffer): number {
  if (fd < 0) throw new SystemError(-fd, 'openat2', name);
  return fd;
}

/** A descriptor, or the negative errno; undefined where there is no such call. */
function callOpenat2(dirFd: number, path: string | Buffer, how: Buffer): number | undefined {
  try {
    const fd = openat2(SYS_OPENAT2, dirFd, cString(path), how, how.length);
    if (fd >= 0) return fd;
    const errno = lastErrno();
    if (errno !== ENOSYS && errno !== EPERM) return -errno;
  } catch (error) {
    if (errorCode(error) !== 'FFI_UNAVAILABLE') throw error;
  }
  hasOpenat2 = false;
  return undefined;
}

/** {@link withDirectoryBeneath} where there is no `openat2(2)`. Exported for tests. */
export function stepByStep<T>(dirFd: number, path: string | Buffer, action: (fd: number) => T): T {
  let current = dirFd;
  try {
    for (const component of Buffer.from(path).toString('latin1').split('/')) {
      if (component === '' || component === '..') {
        throw new ComposefsError('EXDEV', `${path} is not a path below a directory`);
      }
      const step = Buffer.from(`${procPath(current)}/${component}`, 'latin1');
      const next = openStep(step, O_DIRECTORY_PATH, 0);
      if (current !== dirFd) closeSync(current);
      current = next;
    }
    return action(current);
  } finally {
    if (current !== dirFd) closeSync(current);
  }
}

function openStep(path: string | Buffer, flags: number, mode: number): number {
  try {
    return openSync(path, flags | constants.O_NOFOLLOW, mode);
  } catch (error) {
    // What is no directory because it is a symlink is told from what is none.
    const isLink = errorCode(error) === 'ENOTDIR' && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
    throw isLink === true ? new ComposefsError('ELOOP', 'a symbolic link is in the way', { cause: error }) : error;
  }
}

/** `struct open_how`: flags u64 @0, mode u64 @8, resolve u64 @16. */
function directoryHow(resolve: number): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(O_DIRECTORY_PATH | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}
