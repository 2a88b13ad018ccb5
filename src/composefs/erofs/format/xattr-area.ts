import { type ByteString, byteStringFromText, byteStringToBuffer, sliceBytes } from '../../../bytes/byte-string.js';
import { roundUp } from '../../../bytes/integer.js';
import { xxh32 } from '../../../bytes/xxh32.js';
import type { FormatEpoch } from './constants.js';

/** Sizes of spec 20 §1.5. */
export const XATTR_AREA_HEADER_SIZE = 12;
export const XATTR_ENTRY_HEADER_SIZE = 4;
export const XATTR_FILTER_SEED = 0x25bbe08f;

export const XATTR_SUFFIX_MAX = 255;
export const XATTR_VALUE_MAX = 65535;
/** The field that counts an inode's shared xattrs is one byte. */
export const XATTR_SHARED_MAX = 255;
/** The field that gives the size of an inode's xattr area is 16 bits. */
export const XATTR_COUNT_MAX = 65535;

export const XATTR_INDEX_ACL_ACCESS = 2;
export const XATTR_INDEX_ACL_DEFAULT = 3;
export const XATTR_INDEX_TRUSTED = 4;
const XATTR_INDEX_LUSTRE = 5;

/** Prefixes by `name_index`. */
export const XATTR_PREFIXES: readonly ByteString[] = [
  '',
  'user.',
  'system.posix_acl_access',
  'system.posix_acl_default',
  'trusted.',
  'lustre.',
  'security.',
].map(byteStringFromText);

/** A name as stored: a prefix by number and the rest. */
export interface XattrName {
  readonly index: number;
  readonly suffix: ByteString;
}

/** Epoch 1 never uses the prefix `lustre.`. */
export function splitXattrName(name: ByteString, epoch: FormatEpoch): XattrName {
  for (let index = 1; index < XATTR_PREFIXES.length; index++) {
    if (index === XATTR_INDEX_LUSTRE && epoch === 1) continue;
    const prefix = XATTR_PREFIXES[index];
    if (prefix !== undefined && name.startsWith(prefix)) return { index, suffix: sliceBytes(name, prefix.length) };
  }
  return { index: 0, suffix: name };
}

/** The bit of the inode's name filter that a name clears. */
export function xattrFilterBit({ index, suffix }: XattrName): number {
  return xxh32(byteStringToBuffer(suffix), XATTR_FILTER_SEED + index) & 31;
}

/** Bytes of an entry, shared or local. */
export function xattrEntrySize(suffixLength: number, valueLength: number): number {
  return roundUp(XATTR_ENTRY_HEADER_SIZE + suffixLength + valueLength, 4);
}

/** `xattr_icount` of an area of `size` bytes; 0 means that there is none. */
export function xattrAreaCount(size: number): number {
  return size === 0 ? 0 : 1 + (size - XATTR_AREA_HEADER_SIZE) / 4;
}

/** The inverse of {@link xattrAreaCount}. */
export function xattrAreaSize(count: number): number {
  return count === 0 ? 0 : XATTR_AREA_HEADER_SIZE + 4 * (count - 1);
}

/** Writes the 12 bytes before an inode's xattrs into zeroed bytes. */
export function encodeXattrAreaHeader(target: DataView, offset: number, filterBits: number, sharedCount: number): void {
  target.setUint32(offset, ~filterBits >>> 0, true);
  target.setUint8(offset + 4, sharedCount);
}

/** What an entry of this name begins with: 4 bytes, of which the last two are for the length of its value, and the suffix. */
export function encodeXattrEntryStart({ index, suffix }: XattrName): Buffer {
  const start = Buffer.alloc(XATTR_ENTRY_HEADER_SIZE + suffix.length);
  start.writeUInt8(suffix.length, 0);
  start.writeUInt8(index, 1);
  start.write(suffix, XATTR_ENTRY_HEADER_SIZE, 'latin1');
  return start;
}

/** Writes the length of the value into the entry at `offset`. */
export function encodeXattrValueLength(target: DataView, offset: number, valueLength: number): void {
  target.setUint16(offset + 2, valueLength, true);
}
