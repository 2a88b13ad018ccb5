import { constants, fstatSync, openSync } from 'node:fs';
import type { ErrorCode } from '../error-codes.js';
import { ComposefsError } from '../errors.js';
import { closeOnError } from './files.js';

/**
 * Opens a file for reading, whatever has taken its place meanwhile: a symlink is ELOOP, and a FIFO, which without
 * O_NONBLOCK would block for ever, is opened like a file. The caller looks at what it is, and closes it.
 */
export function openFileOnly(path: string | Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** The path of an open file: a link, too, but none that anybody else has made. */
const OPEN_FILE = /^\/proc\/self\/fd\/\d+$/;

/**
 * {@link openFileOnly} for what must be a regular file, or one that is open already by its path in `/proc`.
 *
 * @param code of the error if it is none.
 * @returns a descriptor, which the caller closes, and the size in bytes.
 * @throws ComposefsError `NOT_A_FILE`; system errors as they are (`ELOOP` for a symbolic link).
 */
export function openRegularFile(path: string, code?: ErrorCode): { fd: number; size: number } {
  const isOpen = typeof path === 'string' && OPEN_FILE.test(path);
  const fd = isOpen ? openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) : openFileOnly(path);
  return closeOnError(fd, () => ({ fd, size: requireRegularFile(fd, path, code) }));
}

/**
 * The size in bytes of an open file.
 *
 * @throws ComposefsError `NOT_A_FILE` for a directory, FIFO, device or socket.
 */
export function requireRegularFile(fd: number, name: string, code: ErrorCode = 'NOT_A_FILE'): number {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw new ComposefsError(code, `${name} is not a regular file`);
  return stat.size;
}
