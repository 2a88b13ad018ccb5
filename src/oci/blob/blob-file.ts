import { closeSync, lstatSync, readSync, realpathSync, type Stats, statSync } from 'node:fs';
import { decompress } from '../../compression/decompress.js';
import { ComposefsError } from '../../errors.js';
import { openRegularFile } from '../../fs/open-file.js';
import type { SparseFile } from '../../tar/sparse.js';
import type { FileLocation } from './blob-location.js';

const CHUNK_BYTES = 1 << 20;
/** The code of errors about what should be a regular file of a source. */
export const NOT_A_FILE = 'BLOB_NOT_A_FILE';

/** The place of a whole regular file, with the size that it has now; undefined where there is none. */
export function locateRegularFile(path: string): FileLocation | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : locationOf(path, stat);
}

/** @param stat what is at the path, where no link is followed. */
export function locationOf(path: string, stat: Stats): FileLocation {
  if (!stat.isFile()) throw new ComposefsError(NOT_A_FILE, `${path} is not a regular file`);
  return { kind: 'file', path, offset: 0, size: stat.size };
}

/**
 * The content of a document.
 *
 * @throws ComposefsError `JSON_TOO_LARGE` before anything is read; `BLOB_NOT_A_FILE`; system errors as they are.
 */
export function readDocumentFile(path: string, maxBytes: number): Buffer {
  const { fd, size } = openRegularFile(path, NOT_A_FILE);
  closeSync(fd);
  if (size > maxBytes) {
    throw new ComposefsError('JSON_TOO_LARGE', `${path} of ${size} bytes exceeds the limit of ${maxBytes}`);
  }
  return Buffer.concat([...readLocation({ kind: 'file', path, offset: 0, size })]);
}

/**
 * Opens the file of a location for positioned reads; what the location has in the file lies within it.
 *
 * @throws ComposefsError `BLOB_TRUNCATED` if the file ends before the blob does.
 */
function openLocation(location: FileLocation): number {
  const { fd, size } = openRegularFile(location.path, NOT_A_FILE);
  const stored = storedSize(location);
  if (location.offset + stored <= size) return fd;
  closeSync(fd);
  const wanted = `${stored} bytes at offset ${location.offset}`;
  throw new ComposefsError('BLOB_TRUNCATED', `${location.path} of ${size} bytes does not hold ${wanted}`);
}

function storedSize({ size, sparse }: FileLocation): number {
  return sparse === undefined ? size : sparse.regions.reduce((total, { length }) => total + length, 0);
}

/** Gives memory for the next piece. */
type Allocate = (bytes: number) => Buffer;

/**
 * The bytes of a location. Ends early where the file does.
 *
 * @param allocate by default the pieces are the caller's to keep.
 */
export function* readLocation(
  location: FileLocation,
  chunkBytes: number = CHUNK_BYTES,
  allocate: Allocate = Buffer.allocUnsafe,
): Generator<Buffer> {
  const fd = openLocation(location);
  try {
    if (location.sparse === undefined) yield* readRange(fd, location.offset, location.size, chunkBytes, allocate);
    else yield* readSparse(fd, location.offset, location.sparse, chunkBytes, allocate);
  } finally {
    closeSync(fd);
  }
}

/** The first bytes of a location, fewer if it is shorter. */
export function readLocationStart(location: FileLocation, length: number): Buffer {
  const pieces: Buffer[] = [];
  let read = 0;
  for (const piece of readLocation(location, length)) {
    pieces.push(piece);
    read += piece.length;
    if (read >= length) break;
  }
  return Buffer.concat(pieces).subarray(0, length);
}

function* readRange(
  fd: number,
  start: number,
  length: number,
  chunkBytes: number,
  allocate: Allocate,
): Generator<Buffer> {
  const end = start + length;
  for (let position = start; position < end; ) {
    const buffer = allocate(Math.min(chunkBytes, end - position));
    const count = readSync(fd, buffer, 0, buffer.length, position);
    if (count === 0) return;
    yield buffer.subarray(0, count);
    position += count;
  }
}

/** The regions from the file, and zeros between them. */
function* readSparse(
  fd: number,
  start: number,
  sparse: SparseFile,
  chunkBytes: number,
  allocate: Allocate,
): Generator<Buffer> {
  let stored = start;
  let position = 0;
  for (const { offset, length } of [...sparse.regions, { offset: sparse.size, length: 0 }]) {
    for (; position < offset; position += Math.min(chunkBytes, offset - position)) {
      yield Buffer.alloc(Math.min(chunkBytes, offset - position));
    }
    yield* readRange(fd, stored, length, chunkBytes, allocate);
    stored += length;
    position += length;
  }
}

/** The absolute path of a directory, without links in it. */
export function realDirectory(path: string): string {
  const real = realpathSync(path);
  if (!statSync(real).isDirectory()) throw new ComposefsError('ENOTDIR', `${path} is not a directory`);
  return real;
}

/** A piece is in use while the next one is read ahead; one more for a caller that still looks at the last one. */
const BUFFERS = 3;

/**
 * The bytes of the blob at a location. A piece is valid until the second one after it was asked for: the memory is used
 * anew. With fresh memory for each piece, a pull of debian:plain collected the whole heap eleven times, not once.
 */
export function readFileBlob(location: FileLocation): AsyncIterable<Buffer> | Iterable<Buffer> {
  const pieces = readLocation(location, CHUNK_BYTES, inTurn(BUFFERS));
  return location.compression === undefined ? pieces : decompress(asynchronous(pieces), location.compression);
}

/** Buffers that take turns. */
function inTurn(count: number): Allocate {
  const buffers: Buffer[] = [];
  let last = 0;
  return (bytes) => {
    last = (last + 1) % count;
    let buffer = buffers[last];
    if (buffer === undefined || buffer.length < bytes) {
      buffer = Buffer.allocUnsafeSlow(bytes);
      buffers[last] = buffer;
    }
    return buffer.subarray(0, bytes);
  };
}

async function* asynchronous(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* chunks;
}
