import { readSync } from 'node:fs';
import { AT_EMPTY_PATH } from './constants.js';
import { checkCall, type Subject, SystemError } from './errno.js';
import { cString, lastErrno, libcFunction } from './ffi.js';

/**
 * The mount calls of Linux 5.2 and later (linux/mount.h). Older C libraries have no functions for them; the numbers are
 * the same on all architectures but Alpha and MIPS.
 */
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const SYS_MOUNT_SETATTR = 442;

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_IDMAP = 0x100000n;

export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;
export const OPEN_TREE_CLONE = 0x1;
export const OPEN_TREE_CLOEXEC = 0x80000;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

const PATH = 'const void *';
const fsopenCall = libcFunction<[number, Buffer, number], number>('syscall', 'long', ['long', PATH, 'unsigned int']);
const fsconfigCall = libcFunction<[number, number, number, Buffer | null, Buffer | null, number], number>(
  'syscall',
  'long',
  ['long', 'int', 'unsigned int', PATH, PATH, 'int'],
);
const fsmountCall = libcFunction<[number, number, number, number], number>('syscall', 'long', [
  'long',
  'int',
  'unsigned int',
  'unsigned int',
]);
const moveMountCall = libcFunction<[number, number, Buffer, number, Buffer, number], number>('syscall', 'long', [
  'long',
  'int',
  PATH,
  'int',
  PATH,
  'unsigned int',
]);
const openTreeCall = libcFunction<[number, number, Buffer, number], number>('syscall', 'long', [
  'long',
  'int',
  PATH,
  'unsigned int',
]);
const mountSetattrCall = libcFunction<[number, number, Buffer, number, Buffer, number], number>('syscall', 'long', [
  'long',
  'int',
  PATH,
  'unsigned int',
  'void *',
  'size_t',
]);
const umount2Call = libcFunction<[Buffer, number], number>('umount2', 'int', [PATH, 'int']);

/**
 * A context in which a file system is configured, as a descriptor to close.
 *
 * @throws SystemError ENODEV if the kernel does not have the file system, ENOSYS if it lacks these calls.
 */
export function fsopen(fsname: string): number {
  return checkCall(fsopenCall(SYS_FSOPEN, cString(fsname), FSOPEN_CLOEXEC), 'fsopen', fsname);
}

/** @throws SystemError with what the kernel says about it. */
export function fsconfigFlag(contextFd: number, key: string): void {
  fsconfig(contextFd, FSCONFIG_SET_FLAG, key, null, 0);
}

/** @throws SystemError with what the kernel says about it. */
export function fsconfigString(contextFd: number, key: string, value: string): void {
  fsconfig(contextFd, FSCONFIG_SET_STRING, key, cString(value), 0);
}

/** @throws SystemError with what the kernel says about it. */
export function fsconfigFd(contextFd: number, key: string, fd: number): void {
  fsconfig(contextFd, FSCONFIG_SET_FD, key, null, fd);
}

/**
 * Makes the superblock as configured.
 *
 * @throws SystemError with what the kernel says about it.
 */
export function fsconfigCreate(contextFd: number): void {
  fsconfig(contextFd, FSCONFIG_CMD_CREATE, null, null, 0);
}

/**
 * A mount of the created superblock that is not attached anywhere: closing the descriptor undoes it.
 *
 * @param attributes `MOUNT_ATTR_*`
 * @throws SystemError
 */
export function fsmount(contextFd: number, attributes: number): number {
  return checkContext(
    fsmountCall(SYS_FSMOUNT, contextFd, FSMOUNT_CLOEXEC, attributes),
    'fsmount',
    contextFd,
    contextFd,
  );
}

/**
 * Attaches a detached mount.
 *
 * @param dirFd what `path` is relative to; may be `AT_FDCWD`. A symlink at its end is not followed.
 * @throws SystemError
 */
export function moveMount(mountFd: number, dirFd: number, path: string | Buffer): void {
  const result = moveMountCall(SYS_MOVE_MOUNT, mountFd, cString(''), dirFd, cString(path), MOVE_MOUNT_F_EMPTY_PATH);
  checkCall(result, 'move_mount', path);
}

/**
 * A descriptor of a mount, or with `OPEN_TREE_CLONE` of a detached copy of it.
 *
 * @throws SystemError
 */
export function openTree(dirFd: number, path: string | Buffer, flags: number): number {
  return checkCall(openTreeCall(SYS_OPEN_TREE, dirFd, cString(path), flags), 'open_tree', path);
}

/**
 * Maps the owners of a mount that is still detached through a user namespace.
 *
 * @param usernsFd of `/proc/<pid>/ns/user`.
 * @throws SystemError
 */
export function mountSetattrIdmap(mountFd: number, usernsFd: number): void {
  // struct mount_attr: attr_set @0, attr_clr @8, propagation @16, userns_fd @24; u64 each.
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP, 0);
  attributes.writeBigUInt64LE(BigInt(usernsFd), 24);
  const result = mountSetattrCall(
    SYS_MOUNT_SETATTR,
    mountFd,
    cString(''),
    AT_EMPTY_PATH,
    attributes,
    attributes.length,
  );
  checkCall(result, 'mount_setattr', mountFd);
}

/**
 * Detaches the topmost mount at `path`.
 *
 * @param flags `MNT_DETACH`: also while it is in use; `UMOUNT_NOFOLLOW`: not what a symlink leads to.
 * @throws SystemError
 */
export function umount2(path: string | Buffer, flags: number): void {
  checkCall(umount2Call(cString(path), flags), 'umount2', path);
}

function fsconfig(contextFd: number, command: number, key: string | null, value: Buffer | null, fd: number): void {
  const result = fsconfigCall(SYS_FSCONFIG, contextFd, command, key === null ? null : cString(key), value, fd);
  checkContext(result, 'fsconfig', key ?? 'create', contextFd);
}

function checkContext(result: number, syscall: string, subject: Subject, contextFd: number): number {
  if (result >= 0) return result;
  const errno = lastErrno();
  const messages = readMessages(contextFd);
  throw new SystemError(errno, syscall, subject, messages.length === 0 ? '' : `: ${messages.join('; ')}`);
}

/** What the kernel has to say: often the only thing that tells one EINVAL from another. */
function readMessages(contextFd: number): string[] {
  const messages: string[] = [];
  const buffer = Buffer.alloc(1024);
  try {
    // Each read gives one message, with a letter for its severity before it; after the last comes ENODATA.
    for (let size = 1; size > 0 && messages.length < 64; ) {
      size = readSync(contextFd, buffer);
      if (size > 0)
        messages.push(
          buffer
            .toString('utf8', 0, size)
            .replace(/^[ewi] /, '')
            .trimEnd(),
        );
    }
  } catch {
    return messages;
  }
  return messages;
}
