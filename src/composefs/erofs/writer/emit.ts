import type { ByteRegion } from '../../../bytes/byte-region.js';
import { writeBytes } from '../../../bytes/byte-string.js';
import { CHUNK_ADDRESS_SIZE, NULL_CHUNK_ADDRESS } from '../format/chunks.js';
import { BLOCK_SIZE, type FormatVersion, formatEpoch, LAYOUT_CHUNK_BASED } from '../format/constants.js';
import { encodeCompactInode, encodeExtendedInode, type InodeHeader } from '../format/inode-header.js';
import {
  encodeXattrAreaHeader,
  encodeXattrValueLength,
  XATTR_AREA_HEADER_SIZE,
  xattrAreaCount,
} from '../format/xattr-area.js';
import { writeEntries } from './directory-layout.js';
import type { ImageInode } from './image-inode.js';
import { isReferenced } from './share-xattrs.js';
import type { XattrEntry } from './xattr-table.js';

/** Writes a placed inode with its xattrs, its tail and its blocks; returns the offset of its next block. */
export function emitInode(
  target: ByteRegion,
  inode: ImageInode,
  version: FormatVersion,
  xattrBase: number,
  blockPosition: number,
): number {
  const { position } = inode;
  const header = inodeHeader(inode, version);
  const encode = inode.isCompact ? encodeCompactInode : encodeExtendedInode;
  let offset = position + encode(target.view, position, header);
  if (inode.xattrSize > 0) offset = emitXattrs(target, offset, inode, xattrBase);
  const blocksEnd = blockPosition + BLOCK_SIZE * inode.blockCount;
  emitContent(target, inode, offset, blockPosition, blocksEnd);
  return blocksEnd;
}

export function emitXattrEntry(target: ByteRegion, offset: number, { name, key, size }: XattrEntry): number {
  const { start, form } = name;
  target.bytes.set(start, offset);
  encodeXattrValueLength(target.view, offset, form.size(key));
  form.write(target, offset + start.length, key);
  return offset + size;
}

function inodeHeader(inode: ImageInode, version: FormatVersion): InodeHeader {
  const { stat, layout, mode, nlink, size, u } = inode;
  const isEpoch1 = formatEpoch(version) === 1;
  return {
    layout,
    xattrCount: xattrAreaCount(inode.xattrSize),
    mode,
    nlink,
    size,
    u,
    ino: isEpoch1 ? inode.number : inode.nid,
    uid: stat.uid,
    gid: stat.gid,
    mtimeSec: stat.mtimeSec,
    mtimeNsec: isEpoch1 ? stat.mtimeNsec : 0,
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

function emitContent(target: ByteRegion, inode: ImageInode, tail: number, blocks: number, blocksEnd: number): void {
  const { content } = inode;
  if (inode.groups !== undefined) {
    emitDirectory(target, inode, tail, blocks);
  } else if (inode.layout === LAYOUT_CHUNK_BASED) {
    // Null addresses: the data is elsewhere, or nowhere.
    fillChunks(target.view, tail, tail + inode.tailSize);
    fillChunks(target.view, blocks, blocksEnd);
  } else if (content?.type === 'symlink') {
    writeBytes(target.bytes, inode.isPromoted ? blocks : tail, content.target);
  } else if (content?.type === 'regular' && content.file.storage === 'inline') {
    const { data } = content.file;
    const inBlocks = data.length - inode.tailSize;
    data.copy(target.bytes, blocks, 0, inBlocks);
    data.copy(target.bytes, tail, inBlocks);
  }
}

function fillChunks(view: DataView, start: number, end: number): void {
  for (let offset = start; offset < end; offset += CHUNK_ADDRESS_SIZE) view.setUint32(offset, NULL_CHUNK_ADDRESS, true);
}

function emitDirectory(target: ByteRegion, directory: ImageInode, tail: number, blocks: number): void {
  let start = 0;
  let block = blocks;
  for (const end of directory.groups?.blockEnds ?? []) {
    writeEntries(target, block, directory, start, end);
    start = end;
    block += BLOCK_SIZE;
  }
  writeEntries(target, tail, directory, start, directory.names.length);
}
