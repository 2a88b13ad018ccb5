import type { ByteRegion } from '../../../bytes/byte-region.js';
import { CHUNK_ADDRESS_SIZE, NULL_CHUNK_ADDRESS } from '../format/chunks.js';
import { BLOCK_SIZE, type FormatVersion, formatEpoch } from '../format/constants.js';
import { encodeCompactInode, encodeExtendedInode, type InodeHeader } from '../format/inode-header.js';
import {
  encodeXattrAreaHeader,
  encodeXattrValueLength,
  XATTR_AREA_HEADER_SIZE,
  xattrAreaCount,
} from '../format/xattr-area.js';
import { writeEntries } from './directory-layout.js';
import { type ImageInode, INODE_KIND } from './image-inode.js';
import type { ImageInodes } from './image-inodes.js';
import { isReferenced } from './share-xattrs.js';
import type { XattrEntry } from './xattr-table.js';

/** Writes a planned inode at `offset`, with its xattrs and its tail. */
export function emitInode(
  target: ByteRegion,
  offset: number,
  inode: ImageInode,
  inodes: ImageInodes,
  version: FormatVersion,
  xattrBase: number,
): void {
  const encode = inode.isCompact ? encodeCompactInode : encodeExtendedInode;
  let tail = offset + encode(target.view, offset, inodeHeader(inode, inodes, version));
  if (inode.xattrSize > 0) tail = emitXattrs(target, tail, inode, xattrBase);
  if (inode.tailSize > 0) emitTail(target, tail, inode, inodes);
}

/** Writes the blocks of a planned inode. */
export function emitBlocks(target: ByteRegion, offset: number, inode: ImageInode, inodes: ImageInodes): void {
  switch (inode.kind) {
    case INODE_KIND.DIRECTORY: {
      const entries = inodes.entriesOf(inode.index);
      let start = 0;
      let block = offset;
      for (const end of inode.groups?.blockEnds ?? []) {
        writeEntries(target, block, entries, start, end, inodes);
        start = end;
        block += BLOCK_SIZE;
      }
      return;
    }
    case INODE_KIND.INLINE:
    case INODE_KIND.SYMLINK: {
      const data = dataOf(inode);
      data.copy(target.bytes, offset, 0, data.length - inode.tailSize);
      return;
    }
    default:
      fillChunks(target.view, offset, offset + BLOCK_SIZE * inode.blockCount);
  }
}

/** Returns the offset after the entry. */
export function emitXattrEntry(target: ByteRegion, offset: number, entry: XattrEntry): number {
  const { start, form } = entry.name;
  target.bytes.set(start, offset);
  encodeXattrValueLength(target.view, offset, entry.valueSize);
  form.write(target, offset + start.length, entry.key);
  return offset + entry.size;
}

function inodeHeader(inode: ImageInode, inodes: ImageInodes, version: FormatVersion): InodeHeader {
  const { index, layout, mode, nlink, size, u, uid, gid, mtimeSec, mtimeNsec } = inode;
  const isEpoch1 = formatEpoch(version) === 1;
  return {
    layout,
    xattrCount: xattrAreaCount(inode.xattrSize),
    mode,
    nlink,
    size,
    u,
    ino: isEpoch1 ? inodes.number(index) : inodes.nid(index),
    uid,
    gid,
    mtimeSec,
    mtimeNsec: isEpoch1 ? mtimeNsec : 0,
  };
}

function emitXattrs(target: ByteRegion, start: number, inode: ImageInode, xattrBase: number): number {
  const { xattrs, sharedCount } = inode;
  let filterBits = 0;
  let shared = 0;
  let offset = start + XATTR_AREA_HEADER_SIZE + 4 * sharedCount;
  for (const entry of xattrs) {
    filterBits |= entry.name.filterMask;
    if (isReferenced(entry, shared, sharedCount)) {
      target.view.setUint32(start + XATTR_AREA_HEADER_SIZE + 4 * shared++, (entry.position - xattrBase) / 4, true);
    } else {
      offset = emitXattrEntry(target, offset, entry);
    }
  }
  encodeXattrAreaHeader(target.view, start, filterBits, sharedCount);
  return offset;
}

function emitTail(target: ByteRegion, offset: number, inode: ImageInode, inodes: ImageInodes): void {
  switch (inode.kind) {
    case INODE_KIND.DIRECTORY: {
      const entries = inodes.entriesOf(inode.index);
      writeEntries(target, offset, entries, inode.groups?.blockEnds.at(-1) ?? 0, entries.names.length, inodes);
      return;
    }
    case INODE_KIND.INLINE:
    case INODE_KIND.SYMLINK: {
      const data = dataOf(inode);
      data.copy(target.bytes, offset, data.length - inode.tailSize);
      return;
    }
    default:
      fillChunks(target.view, offset, offset + inode.tailSize);
  }
}

/** The content of a file, or the target of a symlink. */
function dataOf({ leaves, row, contentSize }: ImageInode): Buffer {
  const offset = leaves.dataOffset(row);
  return leaves.data(row).subarray(offset, offset + contentSize);
}

/** Null addresses: the data is elsewhere, or nowhere. */
function fillChunks(view: DataView, start: number, end: number): void {
  for (let offset = start; offset < end; offset += CHUNK_ADDRESS_SIZE) view.setUint32(offset, NULL_CHUNK_ADDRESS, true);
}
