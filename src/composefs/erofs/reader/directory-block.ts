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
  const cursor = new EntryCursor(block);
  while (cursor.next()) yield { name: cursor.name, nid: cursor.nid, fileType: cursor.fileType };
}

/** {@link directoryEntries} for callers that meet very many: nothing is made of an entry that is not asked for. */
export class EntryCursor {
  readonly #region: ByteRegion;
  readonly #count: number;
  #index = -1;
  #start = 0;
  #end = 0;

  /** Before the first entry. @throws ErofsReaderError */
  constructor(block: Buffer) {
    this.#count = countEntries(block);
    this.#region = byteRegion(block);
  }

  /** Goes to the next entry; false if there is none. @throws ErofsReaderError if it is bad. */
  next(): boolean {
    const { bytes, view } = this.#region;
    if (++this.#index >= this.#count) return false;
    const header = DIRENT_SIZE * this.#index;
    if (header + DIRENT_SIZE > bytes.length) throw outOfBounds();
    this.#start = view.getUint16(header + DIRENT_NAME_OFFSET, true);
    this.#end = nameEnd(this.#region, header, this.#start, this.#index === this.#count - 1);
    if (this.#start > this.#end || this.#end > bytes.length) throw outOfBounds();
    return true;
  }

  get name(): ByteString {
    return this.#region.bytes.toString('latin1', this.#start, this.#end) as ByteString;
  }

  /** Rounded if beyond 2^53, where no inode can be. */
  get nid(): number {
    return getUint64(this.#region.view, DIRENT_SIZE * this.#index);
  }

  get fileType(): number {
    return this.#region.view.getUint8(DIRENT_SIZE * this.#index + DIRENT_FILE_TYPE);
  }

  /** Whether it is `.` or `..`. */
  get isDots(): boolean {
    const length = this.#end - this.#start;
    const { bytes } = this.#region;
    if (length !== 1 && length !== 2) return false;
    return bytes[this.#start] === DOT && bytes[this.#end - 1] === DOT;
  }
}

const DOT = 0x2e;

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
