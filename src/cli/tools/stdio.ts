import { fstatSync, readSync, writeSync } from 'node:fs';
import { whenReady } from '../../fs/files.js';

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;

const READ_SIZE = 1024 * 1024;
const TEXT_BATCH = 256 * 1024;

/** What is left of an open file or pipe, in pieces. Each is a buffer of its own. */
export function* readPieces(fd: number): Generator<Buffer> {
  for (;;) {
    const piece = Buffer.allocUnsafeSlow(pieceSize(fd));
    const size = whenReady(() => readSync(fd, piece, 0, piece.length, null));
    if (size === 0) return;
    yield piece.subarray(0, size);
  }
}

function pieceSize(fd: number): number {
  const { size } = fstatSync(fd);
  return Math.min(Math.max(size + 1, 65536), READ_SIZE);
}

export function readAll(fd: number): Buffer {
  const pieces = [...readPieces(fd)];
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += whenReady(() => writeSync(fd, bytes, done));
}

/** Writes texts whose chars are bytes, many at a time. */
export function writeTexts(fd: number, texts: Iterable<string>): void {
  let batch = '';
  for (const text of texts) {
    batch += text;
    if (batch.length < TEXT_BATCH) continue;
    writeAll(fd, Buffer.from(batch, 'latin1'));
    batch = '';
  }
  if (batch !== '') writeAll(fd, Buffer.from(batch, 'latin1'));
}
