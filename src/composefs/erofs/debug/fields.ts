import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../../linux/constants.js';
import { FORMAT_EXTENDED, FORMAT_LAYOUT_MASK } from '../format/inode-header.js';
import { relativeOffset } from './hexdump.js';

/** A field in a structure: where it is, and how it is shown; undefined while it has its default value. */
export interface Field {
  readonly name: string;
  readonly offset: number;
  show(bytes: Buffer, at: number): string | undefined;
}

type Show = Field['show'];

const u8: Show = (bytes, at) => nonZero(bytes.readUInt8(at), String);
const u16: Show = (bytes, at) => nonZero(bytes.readUInt16LE(at), (value) => `U16(${value})`);
const u32: Show = (bytes, at) => nonZero(bytes.readUInt32LE(at), (value) => `U32(${value})`);
const u64: Show = (bytes, at) => {
  const value = bytes.readBigUInt64LE(at);
  return value === 0n ? undefined : `U64(${value})`;
};

function bytesOf(length: number): Show {
  return (bytes, at) => {
    const values = [...bytes.subarray(at, at + length)];
    return values.some((value) => value !== 0) ? `[${values.join(', ')}]` : undefined;
  };
}

const fourWords: Show = (bytes, at) => {
  const values = [0, 4, 8, 12].map((offset) => bytes.readUInt32LE(at + offset));
  return values.some((value) => value !== 0) ? `[${values.map((value) => `U32(${value})`).join(', ')}]` : undefined;
};

const format: Show = (bytes, at) => {
  const value = bytes.readUInt16LE(at);
  // The default is one that no inode has, so that the field is always shown.
  if (value === 0xffff) return undefined;
  const form = (value & FORMAT_EXTENDED) !== 0 ? 'Extended' : 'Compact';
  return `${value} = ${form} | ${LAYOUT_NAMES.get(value & FORMAT_LAYOUT_MASK) ?? 'Err(InvalidDataLayout)'}`;
};

const mode: Show = (bytes, at) =>
  nonZero(bytes.readUInt16LE(at), (value) => {
    return `0${value.toString(8).padStart(6, '0')} (${TYPE_NAMES.get(value & S_IFMT) ?? 'INVALID'})`;
  });

const fileType: Show = (bytes, at) => {
  const value = bytes.readUInt8(at);
  return value === 0xff ? undefined : (FILE_TYPE_NAMES[value] ?? 'Unknown');
};

const LAYOUT_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'Ok(FlatPlain)'],
  [4, 'Ok(FlatInline)'],
  [8, 'Ok(ChunkBased)'],
]);

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [S_IFREG, 'regular file'],
  [S_IFCHR, 'chardev'],
  [S_IFDIR, 'directory'],
  [S_IFBLK, 'blockdev'],
  [S_IFIFO, 'fifo'],
  [S_IFLNK, 'symlink'],
  [S_IFSOCK, 'socket'],
]);

const FILE_TYPE_NAMES: readonly string[] = [
  'Unknown',
  'RegularFile',
  'Directory',
  'CharacterDevice',
  'BlockDevice',
  'Fifo',
  'Socket',
  'Symlink',
];

function nonZero(value: number, show: (value: number) => string): string | undefined {
  return value === 0 ? undefined : show(value);
}

function field(name: string, offset: number, show: Show): Field {
  return { name, offset, show };
}

export const HEADER_FIELDS: readonly Field[] = [
  field('magic', 0, u32),
  field('flags', 8, u32),
  field('version', 4, u32),
  field('composefs_version', 12, u32),
  field('unused', 16, fourWords),
];

export const SUPERBLOCK_FIELDS: readonly Field[] = [
  field('magic', 0, u32),
  field('checksum', 4, u32),
  field('feature_compat', 8, u32),
  field('blkszbits', 12, u8),
  field('extslots', 13, u8),
  field('root_nid', 14, u16),
  field('inos', 16, u64),
  field('build_time', 24, u64),
  field('build_time_nsec', 32, u32),
  field('blocks', 36, u32),
  field('meta_blkaddr', 40, u32),
  field('xattr_blkaddr', 44, u32),
  field('uuid', 48, bytesOf(16)),
  field('volume_name', 64, bytesOf(16)),
  field('feature_incompat', 80, u32),
  field('available_compr_algs', 84, u16),
  field('extra_devices', 86, u16),
  field('devt_slotoff', 88, u16),
  field('dirblkbits', 90, u8),
  field('xattr_prefix_count', 91, u8),
  field('xattr_prefix_start', 92, u32),
  field('packed_nid', 96, u64),
  field('xattr_filter_reserved', 104, u8),
  field('reserved2', 105, bytesOf(23)),
];

export const COMPACT_INODE_FIELDS: readonly Field[] = [
  field('format', 0, format),
  field('xattr_icount', 2, u16),
  field('mode', 4, mode),
  field('reserved', 12, u32),
  field('size', 8, u32),
  field('u', 16, u32),
  field('ino', 20, u32),
  field('uid', 24, u16),
  field('gid', 26, u16),
  field('nlink', 6, u16),
  field('reserved2', 28, bytesOf(4)),
];

export const EXTENDED_INODE_FIELDS: readonly Field[] = [
  field('format', 0, format),
  field('xattr_icount', 2, u16),
  field('mode', 4, mode),
  field('reserved', 6, u16),
  field('size', 8, u64),
  field('u', 16, u32),
  field('ino', 20, u32),
  field('uid', 24, u32),
  field('gid', 28, u32),
  field('mtime', 32, u64),
  field('mtime_nsec', 40, u32),
  field('nlink', 44, u32),
  field('reserved2', 48, bytesOf(16)),
];

export const XATTR_AREA_FIELDS: readonly Field[] = [
  field('name_filter', 0, u32),
  field('shared_count', 4, u8),
  field('reserved', 5, bytesOf(7)),
];

export const DIRENT_FIELDS: readonly Field[] = [
  field('inode_offset', 0, u64),
  field('name_offset', 8, u16),
  field('file_type', 10, fileType),
  field('reserved', 11, u8),
];

/** The lines of a structure at `at`; offsets are shown relative to `base`. */
export function* showFields(fields: readonly Field[], bytes: Buffer, at: number, base: number): Generator<string> {
  for (const { name, offset, show } of fields) {
    const value = show(bytes, at + offset);
    if (value !== undefined) yield `${relativeOffset(at + offset - base)}     ${name}: ${value}\n`;
  }
}
