import type { ByteRegion } from '../../../bytes/byte-region.js';
import type { ByteString } from '../../../bytes/byte-string.js';
import { writeBytes } from '../../../bytes/byte-string.js';
import { DOT, DOT_DOT } from '../../tree/path.js';
import { BLOCK_SIZE } from '../format/constants.js';
import { DIRENT_SIZE, encodeDirent } from '../format/dirent.js';

/** A last group up to this size follows the inode; a larger one is a block of its own. */
const TAIL_MAX = 2048;

/** How the entries of a directory are split up (spec 20 §5). */
export interface DirectoryGroups {
  /** For each block, the index of the entry after its last one. */
  readonly blockEnds: readonly number[];
  /** Bytes of the entries after the last block. */
  readonly tailSize: number;
}

/** Fills blocks greedily with the sorted entries. */
export function groupEntries(names: readonly ByteString[]): DirectoryGroups {
  const blockEnds: number[] = [];
  let size = 0;
  names.forEach((name, index) => {
    const entrySize = DIRENT_SIZE + name.length;
    if (size + entrySize > BLOCK_SIZE) {
      blockEnds.push(index);
      size = 0;
    }
    size += entrySize;
  });
  if (size <= TAIL_MAX) return { blockEnds, tailSize: size };
  blockEnds.push(names.length);
  return { blockEnds, tailSize: 0 };
}

/** The entries of a directory in byte order of their names, `.` and `..` among them; `targets[i]` is what `names[i]` leads to. */
export interface OrderedEntries {
  readonly names: readonly ByteString[];
  /** Indexes of inodes. */
  readonly targets: readonly number[];
}

/** What has to be known of the inodes that entries lead to, by their index. */
export interface EntryTargets {
  nid(index: number): number;
  direntType(index: number): number;
}

/** Writes the entries `start` to `end` (exclusive) of a directory: the fixed parts, then the names. */
export function writeEntries(
  target: ByteRegion,
  offset: number,
  { names, targets }: OrderedEntries,
  start: number,
  end: number,
  inodes: EntryTargets,
): void {
  let header = offset;
  let nameOffset = DIRENT_SIZE * (end - start);
  for (let index = start; index < end; index++) {
    const name = names[index];
    const inode = targets[index];
    if (name === undefined || inode === undefined) throw new Error('directory entries out of step with their names');
    encodeDirent(target.view, header, inodes.nid(inode), nameOffset, inodes.direntType(inode));
    writeBytes(target.bytes, offset + nameOffset, name);
    header += DIRENT_SIZE;
    nameOffset += name.length;
  }
}

/** Adds `.` and `..`. Names that begin with a byte below 0x2e precede `.`, and some lie between `.` and `..`. */
export function withDots(entries: OrderedEntries, self: number, parent: number): OrderedEntries {
  const names = [...entries.names];
  const targets = [...entries.targets];
  const insert = (name: ByteString, target: number): void => {
    const place = names.findIndex((other) => other > name);
    names.splice(place < 0 ? names.length : place, 0, name);
    targets.splice(place < 0 ? targets.length : place, 0, target);
  };
  insert(DOT_DOT, parent);
  insert(DOT, self);
  return { names, targets };
}
