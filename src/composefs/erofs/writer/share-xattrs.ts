import { type ByteString, compareBytes } from '../../../bytes/byte-string.js';
import type { FormatEpoch } from '../format/constants.js';
import { XATTR_AREA_HEADER_SIZE, XATTR_COUNT_MAX, XATTR_SHARED_MAX, xattrAreaCount } from '../format/xattr-area.js';
import type { ImageInode } from './image-inode.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import type { ObjectXattr } from './object-xattrs.js';
import type { SharedEntry, StoredName, XattrEntry, XattrTable } from './xattr-table.js';

/** The C tools share the first 128 of an inode in V0 and V1; composefs-rs agrees up to there (spec 20 §16.5). */
const EPOCH_1_SHARED_MAX = 128;

/** Whether an entry of an inode is written by reference: it is shared, and `sharedSoFar` leaves room. */
export function isReferenced(entry: XattrEntry, sharedSoFar: number, sharedCount: number): boolean {
  return entry.users > 1 && sharedSoFar < sharedCount;
}

/** The entries that several inodes have, in the order of the shared area (spec 20 §3.8, §6.2). */
export function shareXattrs(
  table: XattrTable,
  objectXattrs: readonly ObjectXattr[],
  epoch: FormatEpoch,
): SharedEntry[] {
  // Full name, then length of the value, then value; the whole order reversed.
  if (epoch === 1) return inOrder(table, objectXattrs, byName, byLength).reverse();
  return inOrder(table, objectXattrs, byStoredForm);
}

/** Decides which of its xattrs an inode holds by reference, and with that the size of its xattr area. */
export function measureArea(inode: ImageInode, epoch: FormatEpoch): void {
  inode.sharedCount = 0;
  inode.xattrSize = 0;
  if (inode.xattrs.length === 0) return;
  const limit = epoch === 1 ? EPOCH_1_SHARED_MAX : XATTR_SHARED_MAX;
  let shared = 0;
  let size = XATTR_AREA_HEADER_SIZE;
  for (const entry of inode.xattrs) {
    if (entry.users > 1 && (shared < limit || epoch === 2)) {
      shared++;
      size += 4;
    } else {
      size += entry.size;
    }
  }
  if (shared > limit) throw new InvalidTreeError('xattr', `an inode has ${shared} shared xattrs (max ${limit})`);
  if (xattrAreaCount(size) > XATTR_COUNT_MAX) {
    throw new InvalidTreeError('xattr', `the xattrs of an inode need ${size} bytes (max 262148)`);
  }
  inode.sharedCount = shared;
  inode.xattrSize = size;
}

/** The shared entries, by name in the given order, then by value: in the given order, then bytewise. */
function inOrder(
  table: XattrTable,
  objectXattrs: readonly ObjectXattr[],
  compareNames: (a: StoredName, b: StoredName) => number,
  compareValues?: (a: ByteString, b: ByteString) => number,
): SharedEntry[] {
  const names = table.names().sort(compareNames);
  return names.flatMap((name) => {
    // The default order of strings, which are bytes here, needs no calls of a function of ours.
    const byValue = new Map<ByteString, SharedEntry>();
    for (const entry of name.entries.values()) if (entry.users > 1) byValue.set(name.form.bytes(entry.key), entry);
    for (const entry of objectXattrs.flatMap((xattr) => (xattr.name === name ? xattr.shared() : []))) {
      byValue.set(name.form.bytes(entry.key), entry);
    }
    const values = [...byValue.keys()].sort();
    if (compareValues !== undefined) values.sort(compareValues);
    return values.flatMap((value) => byValue.get(value) ?? []);
  });
}

function byName(a: StoredName, b: StoredName): number {
  return compareBytes(a.name, b.name);
}

function byLength(a: ByteString, b: ByteString): number {
  return a.length - b.length;
}

function byStoredForm(a: StoredName, b: StoredName): number {
  return a.index - b.index || compareBytes(a.suffix, b.suffix);
}
