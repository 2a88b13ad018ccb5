import type { ByteString } from '../../../bytes/byte-string.js';
import { roundUp, UINT32_MAX } from '../../../bytes/integer.js';
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
import { type ImageInode, INODE_KIND } from './image-inode.js';
import type { ErofsDialect, ErofsOptions } from './options.js';

const INLINE_TAIL_MAX = 2048;
const UINT16_MAX = 0xffff;

/** Decides form, layout and sizes of an inode of V0 or V1 (spec 20 §3.10, §3.11). Needs the xattr area's size. */
export function planEpoch1(inode: ImageInode, minimum: Mtime, names: NamesOf, options: ErofsOptions): void {
  planContent(inode, names, options);
  inode.isCompact =
    inode.mtimeSec === minimum.sec &&
    inode.mtimeNsec === minimum.nsec &&
    inode.nlink <= UINT16_MAX &&
    inode.uid <= UINT16_MAX &&
    inode.gid <= UINT16_MAX &&
    inode.size <= UINT32_MAX;
  promote(inode);
}

/** The names of a directory, `.` and `..` among them, by the index of its inode. */
export type NamesOf = (index: number) => readonly ByteString[];

function planContent(inode: ImageInode, names: NamesOf, options: ErofsOptions): void {
  switch (inode.kind) {
    case INODE_KIND.DIRECTORY:
      planDirectory(inode, names(inode.index));
      return;
    case INODE_KIND.INLINE:
      planInline(inode, inode.contentSize);
      return;
    case INODE_KIND.EXTERNAL:
    case INODE_KIND.EXTERNAL_ELSEWHERE:
    case INODE_KIND.NO_VERITY:
    case INODE_KIND.SPARSE:
      if (inode.contentSize > 0 || options.dialect !== 'mkcomposefs') planFile(inode, inode.contentSize);
      return;
    case INODE_KIND.SYMLINK:
      inode.layout = LAYOUT_FLAT_INLINE;
      inode.size = inode.contentSize;
      inode.tailSize = inode.contentSize;
      return;
    case INODE_KIND.BLOCK_DEVICE:
    case INODE_KIND.CHARACTER_DEVICE:
      inode.u = inode.contentSize;
  }
}

/** All versions (spec 20 §5). */
export function planDirectory(inode: ImageInode, names: readonly ByteString[]): void {
  const groups = groupEntries(names);
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
  if (inode.kind === INODE_KIND.SYMLINK) {
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
  if (inode.kind === INODE_KIND.SYMLINK) {
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
 * Whether one mtime comes before another where the least of an image is looked for (spec 20 §3.9). composefs-rs compares
 * seconds as unsigned, so that those before 1970 come last; C compares them as signed.
 */
export function isEarlier(a: ImageInode, { sec, nsec }: Mtime, dialect: ErofsDialect | undefined): boolean {
  if (a.mtimeSec === sec) return a.mtimeNsec < nsec;
  if (dialect !== 'mkcomposefs' && a.mtimeSec < 0 !== sec < 0) return a.mtimeSec >= 0;
  return a.mtimeSec < sec;
}
