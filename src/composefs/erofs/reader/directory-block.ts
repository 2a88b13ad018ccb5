import { type ByteRegion, byteRegion } from '../../../bytes/byte-region.js';
import type { ByteString } from '../../../bytes/byte-string.js';
import { getUint64 } from '../../../bytes/int64.js';
import { DIRENT_FILE_TYPE, DIRENT_NAME_OFFSET, DIRENT_SIZE } from '../format/dirent.js';
import { invalidImage, outOfBounds } from './errors.js';

export interface DirectoryEntry {
  readonly name: ByteString;
  /** Rounded if beyond 2^53, where no inode can be. */
  readonly nid: number;
  /** As stored; not compared with the inode by anyone. */
  readonly fileType: number;
}

/** The number of entries in a directory block or inline tail (spec 20 §9.6). */
export function countEntries(block: Buffer): number {
  if (block.length < DIRENT_SIZE) throw outOfBounds();
  const firstName = block.readUInt16LE(DIRENT_NAME_OFFSET);
  if (firstName === 0 || firstName % DIRENT_SIZE !== 0) throw invalidImage('invalid directory entry name_offset');
  return firstName / DIRENT_SIZE;
}

/** The entries of a directory block or inline tail in stored order. @throws ErofsReaderError at the first bad one. */
export function* directoryEntries(block: Buffer): Generator<DirectoryEntry> {
  const count = countEntries(block);
  const region = byteRegion(block);
  const { view } = region;
  for (let index = 0; index < count; index++) {
    const header = DIRENT_SIZE * index;
    if (header + DIRENT_SIZE > block.length) throw outOfBounds();
    const start = view.getUint16(header + DIRENT_NAME_OFFSET, true);
    const end = nameEnd(region, header, start, index === count - 1);
    if (start > end || end > block.length) throw outOfBounds();
    yield {
      name: block.toString('latin1', start, end) as ByteString,
      nid: getUint64(view, header),
      fileType: view.getUint8(header + DIRENT_FILE_TYPE),
    };
  }
}

/** A name ends where the next begins, the last one at the first NUL or the end. */
function nameEnd({ bytes: block, view }: ByteRegion, header: number, start: number, isLast: boolean): number {
  if (isLast) {
    const nul = start > block.length ? -1 : block.indexOf(0, start);
    return nul < 0 ? block.length : nul;
  }
  const next = header + DIRENT_SIZE;
  if (next + DIRENT_SIZE > block.length) throw outOfBounds();
  return view.getUint16(next + DIRENT_NAME_OFFSET, true);
}
