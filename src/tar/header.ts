import { type ByteString, sliceBytes } from '../bytes/byte-string.js';
import { readNumeric, readOctal } from './numbers.js';

/**
 * The 512-byte header block of a tar (spec 30 §5.2, §5.3). Offsets of all fields:
 *
 *     0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1
 *     157 linkname 100 | 257 magic 6 | 263 version 2 | 265 uname 32 | 297 gname 32 | 329 devmajor 8 | 337 devminor 8
 *     345 prefix 155 (ustar)
 */
export const BLOCK_SIZE = 512;

/** `v7` is every header whose magic and version are not those of the other two. */
export type TarFormat = 'ustar' | 'gnu' | 'v7';

/** What decides about the further course of parsing; all that is read of extension headers. */
export interface HeaderStart {
  readonly format: TarFormat;
  /** The type byte. */
  readonly type: number;
  /** Bytes of data that follow; a bigint only beyond 2^53 - 1. */
  readonly size: number | bigint;
}

/** The metadata of an entry's own header. Numbers are unsigned 64-bit, bigint only beyond 2^53 - 1. */
export interface HeaderMetadata {
  readonly mode: number | bigint;
  readonly uid: number | bigint;
  readonly gid: number | bigint;
  readonly mtime: number | bigint;
  /** Absent in a v7 header. */
  readonly device: { readonly major: number; readonly minor: number } | undefined;
}

/** Thrown by {@link readHeaderStart}; never leaves `src/tar`. */
export class ChecksumError extends Error {
  constructor(expected: number, computed: number) {
    super(`checksum mismatch: expected ${expected}, computed ${computed}`);
  }
}

/** The sum of all bytes: 0 exactly for a zero block. */
export function sumBlock(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < BLOCK_SIZE; i++) sum += block[i] ?? 0;
  return sum;
}

/**
 * Checks the checksum and reads format, type and size.
 *
 * @param sum - of {@link sumBlock}
 * @throws ChecksumError, InvalidOctalError
 */
export function readHeaderStart(block: Uint8Array, sum: number): HeaderStart {
  const expected = readOctal(block, 148, 156);
  let computed = sum + 8 * 0x20; // the checksum field itself counts as spaces
  for (let i = 148; i < 156; i++) computed -= block[i] ?? 0;
  if (expected !== computed) throw new ChecksumError(expected, computed);
  return { format: readFormat(block), type: block[156] ?? 0, size: readNumeric(block, 124, 136) };
}

/**
 * Reads the numbers of an entry's header. Those that a PAX record overrides have to be well formed all the same.
 *
 * @throws InvalidOctalError
 */
export function readHeaderMetadata(block: Uint8Array, format: TarFormat): HeaderMetadata {
  return {
    // In the order of the reference: of several malformed fields the same one is reported.
    uid: readNumeric(block, 108, 116),
    gid: readNumeric(block, 116, 124),
    mtime: readNumeric(block, 136, 148),
    mode: readNumeric(block, 100, 108),
    device: format === 'v7' ? undefined : { major: readOctal(block, 329, 337), minor: readOctal(block, 337, 345) },
  };
}

/** `prefix/name` in a ustar header with a prefix, else `name`. */
export function readHeaderPath(block: Buffer, format: TarFormat): ByteString {
  const name = readText(block, 0, 100);
  if (format !== 'ustar' || block[345] === 0) return name;
  return `${readText(block, 345, 500)}/${name}` as ByteString;
}

/** False exactly where {@link readHeaderPath} gives nothing. */
export function hasHeaderPath(block: Uint8Array, format: TarFormat): boolean {
  return block[0] !== 0 || (format === 'ustar' && block[345] !== 0);
}

export function readLinkName(block: Buffer): ByteString {
  return readText(block, 157, 257);
}

function readText(block: Buffer, start: number, end: number): ByteString {
  const text = block.toString('latin1', start, end) as ByteString;
  const nul = text.indexOf('\0');
  return nul < 0 ? text : sliceBytes(text, 0, nul);
}

/** Magic and version as one piece of text: `ustar\0` `00`, or `ustar ` ` \0`. */
function readFormat(block: Uint8Array): TarFormat {
  if (block[257] !== 0x75 || block[258] !== 0x73 || block[259] !== 0x74 || block[260] !== 0x61 || block[261] !== 0x72) {
    return 'v7';
  }
  if (block[262] === 0 && block[263] === 0x30 && block[264] === 0x30) return 'ustar';
  if (block[262] === 0x20 && block[263] === 0x20 && block[264] === 0) return 'gnu';
  return 'v7';
}
