import { type ByteString, byteStringFrom, splitBytes } from '../bytes/byte-string.js';
import { checkCall, errnoName, SystemError } from './errno.js';
import { cString, lastErrno, libcFunction } from './ffi.js';

/** `XATTR_LIST_MAX` and `XATTR_SIZE_MAX` of linux/limits.h: no list and no value is longer. */
const MAX_SIZE = 65536;

const llistxattr = libcFunction<[path: Buffer, list: Buffer, size: number], number>('llistxattr', 'long', [
  'const void *',
  'void *',
  'size_t',
]);
const lgetxattr = libcFunction<[path: Buffer, name: Buffer, value: Buffer, size: number], number>('lgetxattr', 'long', [
  'const void *',
  'const void *',
  'void *',
  'size_t',
]);
const fgetxattr = libcFunction<[fd: number, name: Buffer, value: Buffer | null, size: number], number>(
  'fgetxattr',
  'long',
  ['int', 'const void *', 'void *', 'size_t'],
);
const flistxattr = libcFunction<[fd: number, list: Buffer | null, size: number], number>('flistxattr', 'long', [
  'int',
  'void *',
  'size_t',
]);
const lsetxattr = libcFunction<[path: Buffer, name: Buffer, value: Buffer, size: number, flags: number], number>(
  'lsetxattr',
  'int',
  ['const void *', 'const void *', 'const void *', 'size_t', 'int'],
);

/** Used between two calls only; a scan of a large tree would otherwise allocate gigabytes. */
let scratch: Buffer | undefined;

/** Most files have none. */
const NONE: ReadonlyMap<ByteString, ByteString> = new Map();

/**
 * All extended attributes of a file, sorted by nothing: in the order of the file system. Of a symlink, those of the
 * symlink itself.
 *
 * @throws SystemError also EOPNOTSUPP where the file system has no such attributes.
 */
export function readXattrs(path: Buffer | string): ReadonlyMap<ByteString, ByteString> {
  scratch ??= Buffer.allocUnsafeSlow(MAX_SIZE);
  const value = scratch;
  const cPath = cString(path);
  const listSize = checkCall(llistxattr(cPath, value, MAX_SIZE), 'llistxattr', path);
  return readListed(value, listSize, (name) => checkCall(lgetxattr(cPath, name, value, MAX_SIZE), 'lgetxattr', path));
}

/** {@link readXattrs} of an open file. */
export function readXattrsOfFd(fd: number): ReadonlyMap<ByteString, ByteString> {
  scratch ??= Buffer.allocUnsafeSlow(MAX_SIZE);
  const value = scratch;
  const listSize = checkCall(flistxattr(fd, value, MAX_SIZE), 'flistxattr', fd);
  return readListed(value, listSize, (name) => checkCall(fgetxattr(fd, name, value, MAX_SIZE), 'fgetxattr', fd));
}

/** @param list has the names, each with a NUL at its end. `read` writes a value over them, and returns its size. */
function readListed(
  list: Buffer,
  listSize: number,
  read: (name: Buffer) => number,
): ReadonlyMap<ByteString, ByteString> {
  if (listSize === 0) return NONE;
  const xattrs = new Map<ByteString, ByteString>();
  for (const name of splitBytes(byteStringFrom(list.subarray(0, listSize - 1)), '\0')) {
    const size = read(cName(name));
    xattrs.set(name, byteStringFrom(list.subarray(0, size)));
  }
  return xattrs;
}

/**
 * Whether an open file has an attribute of that name. False where the file system has no attributes.
 *
 * @throws SystemError
 */
export function hasXattr(fd: number, name: string): boolean {
  if (fgetxattr(fd, cString(name), null, 0) >= 0) return true;
  // Asked of every file of a layer, so that making an error each time would take longer than all the rest.
  const errno = lastErrno();
  if (['ENODATA', 'EOPNOTSUPP'].includes(errnoName(errno))) return false;
  throw new SystemError(errno, 'fgetxattr', fd);
}

/** Whether an open file has attributes at all; those that this process does not see do not count. @throws SystemError */
export function hasXattrs(fd: number): boolean {
  const size = flistxattr(fd, null, 0);
  if (size >= 0) return size > 0;
  const errno = lastErrno();
  if (errnoName(errno) === 'EOPNOTSUPP') return false;
  throw new SystemError(errno, 'flistxattr', fd);
}

/**
 * Sets one extended attribute, of a symlink itself rather than of its target.
 *
 * @throws SystemError
 */
export function setXattr(path: Buffer | string, name: ByteString, value: ByteString): void {
  const bytes = Buffer.from(value, 'latin1');
  checkCall(lsetxattr(cString(path), cName(name), bytes, bytes.length, 0), 'lsetxattr', path);
}

function cName(name: ByteString): Buffer {
  return cString(Buffer.from(name, 'latin1'));
}
