import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { ComposefsError, errorCode } from '../errors.js';
import { runSteps, type Steps } from '../threads/turns.js';

/** Small things about files that Node's synchronous calls leave to the caller. */

/** What streaming code reads and writes at once. */
export const IO_BUFFER_SIZE: number = 1024 * 1024;
const PIECE_SIZE = 256 * 1024;

/** True if the thrown value is a system error of one of these names. */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  const code = errorCode(error);
  // libuv has one name for EOPNOTSUPP, the kernel's headers another.
  return names.includes(code === 'ENOTSUP' ? 'EOPNOTSUPP' : code);
}

/** Runs `action` with an open file and closes that whatever happens. */
export function withFd<T>(fd: number, action: (fd: number) => T): T {
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}

/** Runs `action`; if it throws, closes `fd`, which otherwise stays the caller's. */
export function closeOnError<T>(fd: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Writes all of `data`, at the current position unless one is given. */
export function writeFully(fd: number, data: Uint8Array, position?: number): void {
  for (let offset = 0; offset < data.length; ) {
    const place = position === undefined ? null : position + offset;
    offset += writeSync(fd, data, offset, data.length - offset, place);
  }
}

/**
 * The file's bytes from its beginning, whatever its position is, in pieces of up to 1 MiB. Each piece is a buffer of
 * its own unless `buffer` is given, which then is used again and again.
 */
export function* readChunks(fd: number, buffer?: Buffer): Generator<Buffer> {
  const { size } = fstatSync(fd);
  for (let position = 0; ; ) {
    const wanted = Math.min(IO_BUFFER_SIZE, Math.max(size - position, 1));
    const chunk = buffer ?? Buffer.allocUnsafeSlow(wanted);
    const count = readSync(fd, chunk, 0, chunk.length, position);
    if (count === 0) return;
    position += count;
    yield chunk.subarray(0, count);
  }
}

/**
 * The whole file in one buffer.
 *
 * @param limit in bytes; a larger file is `FILE_TOO_LARGE`, before anything is read.
 */
export function readFully(fd: number, limit: number = Number.POSITIVE_INFINITY): Buffer {
  return runSteps(readFullySteps(fd, limit));
}

/** {@link readFully}. */
export function* readFullySteps(fd: number, limit: number = Number.POSITIVE_INFINITY): Steps<Buffer> {
  const { size } = fstatSync(fd);
  if (size > limit) throw new ComposefsError('FILE_TOO_LARGE', `file of ${size} bytes is larger than ${limit} bytes`);
  const data = Buffer.allocUnsafeSlow(size);
  for (let position = 0; position < size; position += IO_BUFFER_SIZE) {
    if (position > 0) yield;
    const wanted = Math.min(IO_BUFFER_SIZE, size - position);
    const count = readInto(fd, data.subarray(position, position + wanted), position);
    if (count < wanted) return data.subarray(0, position + count);
  }
  return data;
}

/**
 * Fills `target` with what a file has from `position` on.
 *
 * @returns the number of bytes: fewer than asked for only where the file ends.
 */
export function readInto(fd: number, target: Uint8Array, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(fd, target, filled, target.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** The first bytes of a file, up to `limit`, whatever size it says that it has: those in `/proc` say 0. */
export function readStart(fd: number, limit: number): Buffer {
  const pieces: Buffer[] = [];
  for (let size = 0; size < limit; ) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_SIZE, limit - size));
    const count = readSync(fd, piece, 0, piece.length, null);
    if (count === 0) break;
    pieces.push(piece.subarray(0, count));
    size += count;
  }
  return Buffer.concat(pieces);
}

/**
 * Reads from or writes to what may be non-blocking, as a pipe or a terminal is that another process shares: tries again
 * until there is something to read, or room for something.
 *
 * @param patience milliseconds to wait, at most. This blocks the thread.
 * @throws EAGAIN after that; other errors of `action` as they are.
 */
export function whenReady<T>(action: () => T, patience: number = Number.POSITIVE_INFINITY): T {
  for (let waited = 0; ; ) {
    try {
      return action();
    } catch (error) {
      if (isErrno(error, 'EINTR')) continue;
      if (!isErrno(error, 'EAGAIN') || waited >= patience) throw error;
      sleepSync(1);
      waited += 1;
    }
  }
}

/** Blocks the thread. */
export function sleepSync(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
