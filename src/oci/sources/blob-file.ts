import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import type { procPath } from '../../composefs/mount/proc-path.js';
import { ComposefsError } from '../../errors.js';
import type { FileLocation } from './image-source.js';

const CHUNK_BYTES = 1 << 20;
const OPEN_FILE = /^\/proc\/self\/fd\/\d+$/;

/**
 * Opens a regular file for reading. The files of a layout may come from anyone: a symbolic link could point out of it,
 * and opening a FIFO would wait for ever. The path of an open file ({@link procPath}) is a link, too.
 *
 * @throws ComposefsError `BLOB_NOT_A_FILE`; system errors as they are (`ELOOP` for a symbolic link).
 */
export function openRegularFile(path: string): { fd: number; size: number } {
  const links = OPEN_FILE.test(path) ? 0 : constants.O_NOFOLLOW;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | links);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new ComposefsError('BLOB_NOT_A_FILE', `${path} is not a regular file`);
    return { fd, size: stat.size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The place of a whole regular file, with the size that it has now; undefined where there is none. */
export function locateRegularFile(path: string): FileLocation | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw new ComposefsError('BLOB_NOT_A_FILE', `${path} is not a regular file`);
  return { kind: 'file', path, offset: 0, size: stat.size };
}

/**
 * The content of a document.
 *
 * @throws ComposefsError `JSON_TOO_LARGE` before anything is read; `BLOB_NOT_A_FILE`; system errors as they are.
 */
export function readDocumentFile(path: string, maxBytes: number): Buffer {
  const { fd, size } = openRegularFile(path);
  closeSync(fd);
  if (size > maxBytes) {
    throw new ComposefsError('JSON_TOO_LARGE', `${path} of ${size} bytes exceeds the limit of ${maxBytes}`);
  }
  return Buffer.concat([...readLocation({ kind: 'file', path, offset: 0, size })]);
}

/**
 * Opens the file of a location for positioned reads; `offset` and `size` of the location lie within it.
 *
 * @throws ComposefsError `BLOB_TRUNCATED` if the file ends before the blob does.
 */
export function openLocation(location: FileLocation): number {
  const { fd, size } = openRegularFile(location.path);
  if (location.offset + location.size <= size) return fd;
  closeSync(fd);
  const wanted = `${location.size} bytes at offset ${location.offset}`;
  throw new ComposefsError('BLOB_TRUNCATED', `${location.path} of ${size} bytes does not hold ${wanted}`);
}

/** The bytes of a location, in pieces that are the caller's to keep. Ends early where the file does. */
export function* readLocation(location: FileLocation, chunkBytes: number = CHUNK_BYTES): Generator<Buffer> {
  const fd = openLocation(location);
  try {
    const end = location.offset + location.size;
    for (let position = location.offset; position < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, end - position));
      const count = readSync(fd, buffer, 0, buffer.length, position);
      if (count === 0) return;
      yield buffer.subarray(0, count);
      position += count;
    }
  } finally {
    closeSync(fd);
  }
}

/** The absolute path of a directory, without links in it. */
export function realDirectory(path: string): string {
  const real = realpathSync(path);
  if (!statSync(real).isDirectory()) throw new ComposefsError('ENOTDIR', `${path} is not a directory`);
  return real;
}
