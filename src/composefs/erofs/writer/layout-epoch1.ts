import { roundUp, UINT32_MAX } from '../../../bytes/integer.js';
import type { Stat } from '../../tree/stat.js';
import { CHUNK_ADDRESS_SIZE, planChunks } from '../format/chunks.js';
import {
  BLOCK_SIZE,
  COMPACT_INODE_SIZE,
  EXTENDED_INODE_SIZE,
  LAYOUT_CHUNK_BASED,
  LAYOUT_FLAT_INLINE,
  LAYOUT_FLAT_PLAIN,
  SLOT_SIZE,
} from '../format/constants.js';
import { groupEntries } from './directory-layout.js';
import type { ImageInode } from './image-inode.js';
import type { ErofsDialect, ErofsOptions } from './options.js';

const INLINE_TAIL_MAX = 2048;
const UINT16_MAX = 0xffff;

/** Decides form, layout and sizes of an inode of V0 or V1 (spec 20 §3.10, §3.11). Needs the xattr area's size. */
export function planEpoch1(inode: ImageInode, minimum: Mtime, options: ErofsOptions): void {
  planContent(inode, options);
  const { stat } = inode;
  inode.isCompact =
    stat.mtimeSec === minimum.sec &&
    stat.mtimeNsec === minimum.nsec &&
    inode.nlink <= UINT16_MAX &&
    stat.uid <= UINT16_MAX &&
    stat.gid <= UINT16_MAX &&
    inode.size <= UINT32_MAX;
  promote(inode);
}

function planContent(inode: ImageInode, options: ErofsOptions): void {
  const { content } = inode;
  switch (content?.type) {
    case undefined:
      if (inode.role !== 'escaped-whiteout') planDirectory(inode);
      return;
    case 'regular':
      if (content.file.storage === 'inline') planInline(inode, content.file.data.length);
      else if (content.file.size > 0 || options.dialect !== 'mkcomposefs') planFile(inode, content.file.size);
      return;
    case 'symlink':
      inode.layout = LAYOUT_FLAT_INLINE;
      inode.size = content.target.length;
      inode.tailSize = content.target.length;
      return;
    case 'block-device':
    case 'character-device':
      inode.u = content.rdev;
  }
}

/** All versions (spec 20 §5). */
export function planDirectory(inode: ImageInode): void {
  const groups = groupEntries(inode.names);
  inode.groups = groups;
  inode.blockCount = groups.blockEnds.length;
  inode.tailSize = groups.tailSize;
  inode.size = BLOCK_SIZE * inode.blockCount + inode.tailSize;
  inode.layout = inode.tailSize > 0 ? LAYOUT_FLAT_INLINE : LAYOUT_FLAT_PLAIN;
}

function planInline(inode: ImageInode, size: number): void {
  inode.size = size;
  inode.blockCount = Math.floor(size / BLOCK_SIZE);
  inode.tailSize = size % BLOCK_SIZE;
  if (inode.tailSize > INLINE_TAIL_MAX) {
    inode.blockCount++;
    inode.tailSize = 0;
  }
  inode.layout = inode.tailSize > 0 ? LAYOUT_FLAT_INLINE : LAYOUT_FLAT_PLAIN;
}

function planFile(inode: ImageInode, size: number): void {
  const { format, count } = planChunks(size);
  inode.layout = LAYOUT_CHUNK_BASED;
  inode.size = size;
  inode.u = format;
  inode.tailSize = CHUNK_ADDRESS_SIZE * count;
}

/** Moves a target or a chunk array that cannot lie in one block with (part of) its inode to a block of its own. */
function promote(inode: ImageInode): void {
  const headerSize = inode.isCompact ? COMPACT_INODE_SIZE : EXTENDED_INODE_SIZE;
  if (inode.content?.type === 'symlink') {
    if (headerSize + inode.xattrSize + inode.tailSize < BLOCK_SIZE) return;
    inode.layout = LAYOUT_FLAT_PLAIN;
  } else if (inode.layout !== LAYOUT_CHUNK_BASED || inode.tailSize + (inode.xattrSize % SLOT_SIZE) <= BLOCK_SIZE) {
    return;
  }
  inode.isPromoted = true;
  inode.tailSize = 0;
  inode.blockCount = 1;
}

/** Where an inode of V0 or V1 begins if the one before it ends at `position` (spec 20 §3.12). */
export function placeEpoch1(inode: ImageInode, position: number, metaSize: number): number {
  const start = roundUp(position, SLOT_SIZE);
  if (inode.isPromoted) return roundUp(start, BLOCK_SIZE);
  if (inode.content?.type === 'symlink') {
    // Kernels before 6.12 fail unless inode, xattrs and target lie in one block.
    return (start % BLOCK_SIZE) + metaSize + inode.tailSize > BLOCK_SIZE ? roundUp(start, BLOCK_SIZE) : start;
  }
  // Of the others only the tail must lie in one block.
  const room = BLOCK_SIZE - ((start + metaSize) % BLOCK_SIZE);
  return room < inode.tailSize ? start + roundUp(room, SLOT_SIZE) : start;
}

export interface Mtime {
  readonly sec: number;
  readonly nsec: number;
}

/**
 * The least mtime of some inodes (spec 20 §3.9). composefs-rs compares seconds as unsigned, so that those before 1970
 * come last; C compares them as signed.
 */
export function minimumMtime(inodes: Iterable<{ readonly stat: Stat }>, dialect: ErofsDialect | undefined): Mtime {
  let minimum: Stat | undefined;
  for (const { stat } of inodes) {
    if (minimum === undefined || isLess(stat, minimum, dialect === 'mkcomposefs')) minimum = stat;
  }
  return { sec: minimum?.mtimeSec ?? 0, nsec: minimum?.mtimeNsec ?? 0 };
}

function isLess(a: Stat, b: Stat, isSigned: boolean): boolean {
  if (a.mtimeSec === b.mtimeSec) return a.mtimeNsec < b.mtimeNsec;
  if (!isSigned && a.mtimeSec < 0 !== b.mtimeSec < 0) return a.mtimeSec >= 0;
  return a.mtimeSec < b.mtimeSec;
}
