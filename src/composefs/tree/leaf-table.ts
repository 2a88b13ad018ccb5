import { type ByteString, byteStringFrom, writeBytes } from '../../bytes/byte-string.js';
import { type ObjectId, trustedObjectId } from '../fsverity/object-id.js';
import { ByteArena, offsetOf } from './byte-arena.js';
import type { LeafContent, RegularFile } from './leaf.js';
import type { Stat, Xattrs } from './stat.js';
import { XattrPool } from './xattr-pool.js';

/** What a row holds: the type of a leaf, and of regular files the storage. */
export const ROW_KIND = {
  INLINE: 0,
  EXTERNAL: 1,
  /** With a `payload` of its own. */
  EXTERNAL_ELSEWHERE: 2,
  NO_VERITY: 3,
  SPARSE: 4,
  SYMLINK: 5,
  BLOCK_DEVICE: 6,
  CHARACTER_DEVICE: 7,
  FIFO: 8,
  SOCKET: 9,
} as const;
export type RowKind = (typeof ROW_KIND)[keyof typeof ROW_KIND];

// A row is 48 bytes: 32-bit words, and two doubles, by their index among the words.
const ROW_WORDS = 12;
const MTIME_SEC = 0;
/** Bytes that a regular file shows, or a device number. */
const SIZE = 2;
const KIND = 4;
const MODE = 5;
const UID = 6;
const GID = 7;
const MTIME_NSEC = 8;
const XATTRS = 9;
/** Inline content, the target of a link, a digest and after it the payload: where it lies, how long it is. */
const DATA = 10;
const DATA_LENGTH = 11;

/** The kind has the length of the digest beside it. */
const KIND_BITS = 8;
const KIND_MASK = 0xff;

const CHUNK_BITS = 9;
const CHUNK_ROWS = 2 ** CHUNK_BITS;

interface Chunk {
  readonly words: Uint32Array;
  /** The same memory. */
  readonly doubles: Float64Array;
}

/**
 * The leaves of a tree that have one name each and that nobody has asked for: rows of numbers, and bytes, instead of four to
 * eight objects. An image may have a million of them.
 */
export class LeafTable {
  readonly #chunks: Chunk[] = [];
  readonly #data = new ByteArena();
  readonly #xattrs = new XattrPool();
  #rows = 0;
  /** Rows of leaves that are gone. */
  readonly #free: number[] = [];

  /** The row of a new leaf; undefined if it has what no row can hold: numbers out of range, an id that is none. */
  add(stat: Stat, content: LeafContent): number | undefined {
    if (!fits(stat)) return undefined;
    const reused = this.#free.pop();
    const row = reused ?? this.#rows;
    if (row >>> CHUNK_BITS === this.#chunks.length) this.#chunks.push(newChunk());
    if (!this.setContent(row, content)) {
      if (reused !== undefined) this.#free.push(reused);
      return undefined;
    }
    this.#setStat(row, stat);
    if (reused === undefined) this.#rows++;
    return row;
  }

  /** The leaf of a row is gone; another one gets the row. */
  release(row: number): void {
    this.#free.push(row);
  }

  stat(row: number): Stat {
    const { words, doubles } = this.#chunk(row);
    const at = place(row);
    return {
      mode: words[at + MODE] ?? 0,
      uid: words[at + UID] ?? 0,
      gid: words[at + GID] ?? 0,
      mtimeSec: doubles[(at + MTIME_SEC) / 2] ?? 0,
      mtimeNsec: words[at + MTIME_NSEC] ?? 0,
      xattrs: this.#xattrs.get(words[at + XATTRS] ?? 0),
    };
  }

  /** False: the row cannot hold it, and is as it was. */
  setStat(row: number, stat: Stat): boolean {
    if (!fits(stat)) return false;
    this.#setStat(row, stat);
    return true;
  }

  content(row: number): LeafContent {
    switch (this.kind(row)) {
      case ROW_KIND.SYMLINK:
        return { type: 'symlink', target: this.dataText(row) };
      case ROW_KIND.BLOCK_DEVICE:
        return { type: 'block-device', rdev: this.size(row) };
      case ROW_KIND.CHARACTER_DEVICE:
        return { type: 'character-device', rdev: this.size(row) };
      case ROW_KIND.FIFO:
        return { type: 'fifo' };
      case ROW_KIND.SOCKET:
        return { type: 'socket' };
      default:
        return { type: 'regular', file: this.#file(row) };
    }
  }

  kind(row: number): RowKind {
    return (this.#word(row, KIND) & KIND_MASK) as RowKind;
  }

  /** {@link isWhiteout} */
  isWhiteout(row: number): boolean {
    return this.kind(row) === ROW_KIND.CHARACTER_DEVICE && this.size(row) === 0;
  }

  mode(row: number): number {
    return this.#word(row, MODE);
  }

  uid(row: number): number {
    return this.#word(row, UID);
  }

  gid(row: number): number {
    return this.#word(row, GID);
  }

  mtimeSec(row: number): number {
    return this.#chunk(row).doubles[(place(row) + MTIME_SEC) / 2] ?? 0;
  }

  mtimeNsec(row: number): number {
    return this.#word(row, MTIME_NSEC);
  }

  xattrs(row: number): Xattrs {
    return this.#xattrs.get(this.#word(row, XATTRS));
  }

  /** Bytes that a regular file shows; a device number; 0 of anything else. */
  size(row: number): number {
    return this.#chunk(row).doubles[(place(row) + SIZE) / 2] ?? 0;
  }

  /** Length of the digest that the data begin with, in bytes; 0 where there is none. */
  digestLength(row: number): number {
    return this.#word(row, KIND) >>> KIND_BITS;
  }

  dataLength(row: number): number {
    return this.#word(row, DATA_LENGTH);
  }

  /** The bytes of a row, from `dataOffset` on: inline content, the target of a symlink, a digest and after it the payload. */
  data(row: number): Buffer {
    return this.#data.pieceOf(this.#word(row, DATA));
  }

  /** Where in {@link data} those of this row begin. */
  dataOffset(row: number): number {
    return offsetOf(this.#word(row, DATA));
  }

  /** The data as a byte string, from `start` on. */
  dataText(row: number, start = 0): ByteString {
    const length = this.dataLength(row);
    if (length === start) return byteStringFrom(EMPTY);
    const offset = this.dataOffset(row);
    return this.data(row).toString('latin1', offset + start, offset + length) as ByteString;
  }

  #file(row: number): RegularFile {
    const size = this.size(row);
    switch (this.kind(row)) {
      case ROW_KIND.EXTERNAL:
        return { storage: 'external', id: this.#id(row), size };
      case ROW_KIND.EXTERNAL_ELSEWHERE:
        return { storage: 'external', id: this.#id(row), size, payload: this.dataText(row, this.digestLength(row)) };
      case ROW_KIND.NO_VERITY:
        return { storage: 'external-no-verity', payload: this.dataText(row), size };
      case ROW_KIND.SPARSE:
        return { storage: 'sparse', size };
      default: {
        // A copy: whoever holds the content of one file does not hold those of others.
        const offset = this.dataOffset(row);
        return { storage: 'inline', data: Buffer.from(this.data(row).subarray(offset, offset + size)) };
      }
    }
  }

  #id(row: number): ObjectId {
    const offset = this.dataOffset(row);
    return trustedObjectId(this.data(row).toString('hex', offset, offset + this.digestLength(row)));
  }

  #setStat(row: number, { mode, uid, gid, mtimeSec, mtimeNsec, xattrs }: Stat): void {
    const { words, doubles } = this.#chunk(row);
    const at = place(row);
    words[at + MODE] = mode;
    words[at + UID] = uid;
    words[at + GID] = gid;
    doubles[(at + MTIME_SEC) / 2] = mtimeSec;
    words[at + MTIME_NSEC] = mtimeNsec;
    words[at + XATTRS] = this.#xattrs.add(xattrs);
  }

  /** False if the row cannot hold it. */
  setContent(row: number, content: LeafContent): boolean {
    switch (content.type) {
      case 'regular':
        return this.#setFile(row, content.file);
      case 'symlink':
        return this.#setText(row, ROW_KIND.SYMLINK, 0, content.target);
      case 'block-device':
        return this.#set(row, ROW_KIND.BLOCK_DEVICE, content.rdev);
      case 'character-device':
        return this.#set(row, ROW_KIND.CHARACTER_DEVICE, content.rdev);
      case 'fifo':
        return this.#set(row, ROW_KIND.FIFO, 0);
      case 'socket':
        return this.#set(row, ROW_KIND.SOCKET, 0);
    }
  }

  #setFile(row: number, file: RegularFile): boolean {
    switch (file.storage) {
      case 'inline':
        if (!this.#reserve(row, file.data.length)) return false;
        file.data.copy(this.data(row), this.dataOffset(row));
        return this.#set(row, ROW_KIND.INLINE, file.data.length);
      case 'external':
        return this.#setExternal(row, file.id, file.size, file.payload);
      case 'external-no-verity':
        return this.#setText(row, ROW_KIND.NO_VERITY, file.size, file.payload);
      case 'sparse':
        return this.#set(row, ROW_KIND.SPARSE, file.size);
    }
  }

  #setExternal(row: number, id: ObjectId, size: number, payload: ByteString | undefined): boolean {
    const digestLength = id.length / 2;
    if (digestLength !== SHA256_SIZE && digestLength !== SHA512_SIZE) return false;
    if (!this.#reserve(row, digestLength + (payload?.length ?? 0))) return false;
    const data = this.data(row);
    const offset = this.dataOffset(row);
    if (data.write(id, offset, digestLength, 'hex') !== digestLength) return false;
    if (payload === undefined) return this.#set(row, ROW_KIND.EXTERNAL, size, digestLength);
    writeBytes(data, offset + digestLength, payload);
    return this.#set(row, ROW_KIND.EXTERNAL_ELSEWHERE, size, digestLength);
  }

  #setText(row: number, kind: RowKind, size: number, text: ByteString): boolean {
    if (!this.#reserve(row, text.length)) return false;
    writeBytes(this.data(row), this.dataOffset(row), text);
    return this.#set(row, kind, size);
  }

  #set(row: number, kind: RowKind, size: number, digestLength = 0): boolean {
    if (!Number.isSafeInteger(size)) return false;
    const { words, doubles } = this.#chunk(row);
    const at = place(row);
    words[at + KIND] = kind | (digestLength << KIND_BITS);
    doubles[(at + SIZE) / 2] = size;
    return true;
  }

  /** Room for the data of a row, which keeps the room that it has where that is as large. */
  #reserve(row: number, length: number): boolean {
    const { words } = this.#chunk(row);
    const at = place(row);
    if (words[at + DATA_LENGTH] === length && length > 0) return true;
    const address = this.#data.allocate(length);
    if (address === undefined) return false;
    words[at + DATA] = address;
    words[at + DATA_LENGTH] = length;
    return true;
  }

  #word(row: number, field: number): number {
    return this.#chunk(row).words[place(row) + field] ?? 0;
  }

  #chunk(row: number): Chunk {
    const chunk = this.#chunks[row >>> CHUNK_BITS];
    if (chunk === undefined) throw new Error(`there is no row ${row}`);
    return chunk;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const SHA256_SIZE = 32;
const SHA512_SIZE = 64;

/** The first word of a row in its chunk. */
function place(row: number): number {
  return (row & (CHUNK_ROWS - 1)) * ROW_WORDS;
}

function newChunk(): Chunk {
  const memory = new ArrayBuffer(CHUNK_ROWS * ROW_WORDS * Uint32Array.BYTES_PER_ELEMENT);
  return { words: new Uint32Array(memory), doubles: new Float64Array(memory) };
}

function fits({ mode, uid, gid, mtimeSec, mtimeNsec }: Stat): boolean {
  return isUint32(mode) && isUint32(uid) && isUint32(gid) && Number.isSafeInteger(mtimeSec) && isUint32(mtimeNsec);
}

function isUint32(value: number): boolean {
  return value >>> 0 === value;
}
