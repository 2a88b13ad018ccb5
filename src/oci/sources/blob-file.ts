import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import type { FileLocation } from './image-source.js';

const CHUNK_BYTES = 1 << 20;

/**
 * Opens a regular file for reading. The files of a layout may come from anyone: a symbolic link could point out of it,
 * and opening a FIFO would wait for ever.
 *
 * @throws ComposefsError `BLOB_NOT_A_FILE`; system errors as they are (`ELOOP` for a symbolic link).
 */
export function openRegularFile(path: string): { fd: number; size: number } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new ComposefsError('BLOB_NOT_A_FILE', `${path} is not a regular file`);
    return { fd, size: stat.size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
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
