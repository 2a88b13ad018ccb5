import { closeSync, fstatSync } from 'node:fs';
import { withContext } from '../../errors.js';
import { readInto } from '../../fs/files.js';
import type { FileRange } from './format.js';
import { SplitStreamError } from './format.js';

/** Random access to the bytes of a splitstream file. */
export interface SplitStreamSource {
  readonly size: number;
  /** Exactly `length` bytes at `offset`, or fewer at the end of the file. */
  read(offset: number, length: number): Buffer;
  close?(): void;
}

const PIECE_SIZE = 131072;
/** What is read in one piece are references: these are more than four million. */
const MAX_WHOLE_SECTION = 256 * 1024 * 1024;

/** Up to this many bytes a file is read at once: those of manifests and configs have seven sections in 600 bytes. */
const MAX_WHOLE_FILE = 16 * 1024;

/** An open file. Closing the source closes the descriptor. */
export function fdSource(fd: number): SplitStreamSource {
  const { size } = fstatSync(fd);
  let whole: Buffer | undefined;
  return {
    size,
    read: (offset, length) => {
      if (size <= MAX_WHOLE_FILE) {
        whole ??= readAt(fd, 0, size);
        return whole.subarray(offset, offset + length);
      }
      return readAt(fd, offset, length);
    },
    close: () => closeSync(fd),
  };
}
function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readInto(fd, buffer, offset));
}

export function bufferSource(buffer: Buffer): SplitStreamSource {
  return { size: buffer.length, read: (offset, length) => buffer.subarray(offset, offset + length) };
}

/** A range whose bytes are known to be in the file. */
export interface Section {
  readonly start: number;
  readonly end: number;
}

/** Checks a range against the file, before anything is allocated for it. The start of an empty range is not checked. */
export function checkRange(source: SplitStreamSource, range: FileRange): Section {
  return withContext('Reading range from splitstream file', () => {
    if (range.end < range.start) throw new SplitStreamError('Negative-sized range in splitstream');
    if (range.end === range.start) return { start: 0, end: 0 };
    if (range.end > BigInt(source.size)) throw incompleteRead();
    return { start: Number(range.start), end: Number(range.end) };
  });
}

/** All bytes of a section. */
export function readSection(source: SplitStreamSource, section: Section): Buffer {
  return withContext('Reading range from splitstream file', () => {
    const length = section.end - section.start;
    if (length > MAX_WHOLE_SECTION) throw new SplitStreamError('Section of the splitstream file is too large');
    const data = length === 0 ? Buffer.alloc(0) : source.read(section.start, length);
    if (data.length !== length) throw incompleteRead();
    return data;
  });
}

/** The bytes of a section in pieces of at most 128 KiB. */
export function* readSectionPieces(source: SplitStreamSource, section: Section): Generator<Buffer> {
  for (let start = section.start; start < section.end; start += PIECE_SIZE) {
    yield readSection(source, { start, end: Math.min(start + PIECE_SIZE, section.end) });
  }
}

function incompleteRead(): SplitStreamError {
  return new SplitStreamError('Incomplete read from splitstream file');
}
