import { encodeInt64 } from '../../bytes/int64.js';
import { roundUp } from '../../bytes/integer.js';
import { type Attributes, ENTRY_REPLY_SIZE, encodeEntry, encodeNoEntry } from './attributes.js';

const DIRENT_HEADER_SIZE = 24;

/** An entry of a READDIR reply: `struct fuse_dirent`. */
export interface DirectoryRecord {
  readonly ino: number;
  /** Where the next READDIR goes on. */
  readonly nextOffset: number;
  /** `mode >> 12`; 0 is unknown. */
  readonly type: number;
  readonly name: Uint8Array;
}

/** Bytes of a record in a READDIR reply: padded to 8. */
export function direntSize(nameLength: number): number {
  return roundUp(DIRENT_HEADER_SIZE + nameLength, 8);
}

/** Bytes of a record in a READDIRPLUS reply. */
export function direntPlusSize(nameLength: number): number {
  return ENTRY_REPLY_SIZE + direntSize(nameLength);
}

/** ino @0, off @8, namelen u32 @16, type u32 @20, name @24, zeros. The caller has checked that there is room. */
export function encodeDirent(target: Buffer, offset: number, record: DirectoryRecord): number {
  const { name } = record;
  const size = direntSize(name.length);
  encodeInt64(target, record.ino, offset);
  encodeInt64(target, record.nextOffset, offset + 8);
  target.writeUInt32LE(name.length, offset + 16);
  target.writeUInt32LE(record.type, offset + 20);
  target.set(name, offset + DIRENT_HEADER_SIZE);
  target.fill(0, offset + DIRENT_HEADER_SIZE + name.length, offset + size);
  return size;
}

/**
 * `struct fuse_direntplus`: an entry @0, the dirent @128.
 *
 * @param attributes of the node `record.ino`; without them the kernel looks the name up when it needs it.
 */
export function encodeDirentPlus(
  target: Buffer,
  offset: number,
  record: DirectoryRecord,
  attributes: Attributes | undefined,
): number {
  if (attributes === undefined) encodeNoEntry(target, offset);
  else encodeEntry(target, offset, record.ino, attributes);
  return ENTRY_REPLY_SIZE + encodeDirent(target, offset + ENTRY_REPLY_SIZE, record);
}
