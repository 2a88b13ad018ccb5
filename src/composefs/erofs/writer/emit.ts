import { BLOCK_SIZE, type FormatVersion, formatEpoch, LAYOUT_CHUNK_BASED } from '../format.js';
import { encodeCompactInode, encodeExtendedInode, type InodeHeader } from '../inode-header.js';
import {
  encodeXattrAreaHeader,
  encodeXattrEntryHeader,
  XATTR_AREA_HEADER_SIZE,
  XATTR_ENTRY_HEADER_SIZE,
  xattrAreaCount,
} from '../xattr-format.js';
import { writeEntries } from './directory-layout.js';
import type { ImageInode } from './image-inode.js';
import { isReferenced } from './share-xattrs.js';
import { writeBytes } from './write-bytes.js';
import type { XattrEntry } from './xattr-table.js';

/** Writes a placed inode with its xattrs, its tail and its blocks; returns the offset of its next block. */
export function emitInode(
  image: Buffer,
  inode: ImageInode,
  version: FormatVersion,
  xattrBase: number,
  blockPosition: number,
): number {
  const { position } = inode;
  const header = inodeHeader(inode, version);
  const encode = inode.isCompact ? encodeCompactInode : encodeExtendedInode;
  let offset = position + encode(image, position, header);
  if (inode.xattrSize > 0) offset = emitXattrs(image, offset, inode, xattrBase);
  const blocksEnd = blockPosition + BLOCK_SIZE * inode.blockCount;
  emitContent(image, inode, offset, blockPosition, blocksEnd);
  return blocksEnd;
}

export function emitXattrEntry(image: Buffer, offset: number, { name, key, size }: XattrEntry): number {
  const { suffix, form } = name;
  encodeXattrEntryHeader(image, offset, suffix.length, name.index, form.size(key));
  writeBytes(image, offset + XATTR_ENTRY_HEADER_SIZE, suffix);
  form.write(image, offset + XATTR_ENTRY_HEADER_SIZE + suffix.length, key);
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

function emitXattrs(image: Buffer, start: number, inode: ImageInode, xattrBase: number): number {
  const { xattrs, sharedCount } = inode;
  let filterBits = 0;
  let shared = 0;
  let offset = start + XATTR_AREA_HEADER_SIZE + 4 * sharedCount;
  for (const entry of xattrs) {
    filterBits |= entry.name.filterMask;
    if (isReferenced(entry, shared, sharedCount)) {
      image.writeUInt32LE((entry.position - xattrBase) / 4, start + XATTR_AREA_HEADER_SIZE + 4 * shared++);
    } else {
      offset = emitXattrEntry(image, offset, entry);
    }
  }
  encodeXattrAreaHeader(image, start, filterBits, sharedCount);
  return offset;
}

function emitContent(image: Buffer, inode: ImageInode, tail: number, blocks: number, blocksEnd: number): void {
  const { content } = inode;
  if (inode.groups !== undefined) {
    emitDirectory(image, inode, tail, blocks);
  } else if (inode.layout === LAYOUT_CHUNK_BASED) {
    // Null addresses: the data is elsewhere, or nowhere.
    image.fill(0xff, tail, tail + inode.tailSize);
    image.fill(0xff, blocks, blocksEnd);
  } else if (content?.type === 'symlink') {
    writeBytes(image, inode.isPromoted ? blocks : tail, content.target);
  } else if (content?.type === 'regular' && content.file.storage === 'inline') {
    const { data } = content.file;
    const inBlocks = data.length - inode.tailSize;
    data.copy(image, blocks, 0, inBlocks);
    data.copy(image, tail, inBlocks);
  }
}

function emitDirectory(image: Buffer, directory: ImageInode, tail: number, blocks: number): void {
  let start = 0;
  let block = blocks;
  for (const end of directory.groups?.blockEnds ?? []) {
    writeEntries(image, block, directory, start, end);
    start = end;
    block += BLOCK_SIZE;
  }
  writeEntries(image, tail, directory, start, directory.names.length);
}
