import { type ByteString, sliceBytes } from '../bytes/byte-string.js';
import { readNumeric, readOctal } from './numbers.js';
import { HeaderFailure } from './tar-error.js';

/**
 * The 512-byte header block of a tar (spec 30 §5.2, §5.3). Offsets of all fields:
 *
 *     0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1
 *     157 linkname 100 | 257 magic 6 | 263 version 2 | 265 uname 32 | 297 gname 32 | 329 devmajor 8 | 337 devminor 8
 *     345 prefix 155 (ustar)
 */
export const TAR_BLOCK_SIZE = 512;

/**
 * - `ustar`: by its magic alone. The version field should be `00`, but writers leave NULs or blanks there.
 * - `star`: a ustar header that ends in `tar`; its prefix has 131 bytes, followed by two times.
 * - `old-go`: a GNU header with a prefix, see {@link hasMisplacedPrefix}.
 * - `v7`: every other header.
 */
export type TarFormat = 'ustar' | 'star' | 'gnu' | 'old-go' | 'v7';

/**
 * How headers are read: as other programs do, or as the reference does, which makes another tree of some of them
 * without saying so (docs/open-points.md).
 */
export type TarRules = 'standard' | 'reference';

/** Something that the reference reads in another way, without an error, so that it makes another tree of the layer. */
export type TarDifference =
  | 'header-only-size'
  | 'old-directory'
  | 'prefix'
  | 'leading-nul'
  | 'empty-linkpath'
  | 'long-text'
  | 'pax-time';

/** What decides about the further course of parsing; all that is read of extension headers. */
export interface HeaderStart {
  readonly format: TarFormat;
  /** The type byte. */
  readonly type: number;
  /** Bytes of data that follow; a bigint only beyond ±(2^53 - 1). */
  readonly size: number | bigint;
}

/** The numbers of an entry's own header: bigint only beyond ±(2^53 - 1), within 64 bits. */
export interface HeaderNumbers {
  readonly mode: number | bigint;
  readonly uid: number | bigint;
  readonly gid: number | bigint;
  readonly mtime: number | bigint;
}

/** Thrown by {@link readHeaderStart}. */
class ChecksumError extends HeaderFailure {
  constructor(expected: number, computed: number) {
    super(`checksum mismatch: expected ${expected}, computed ${computed}`);
  }
}

const ODD_BYTES = 0x00ff00ff;

/** The sum of all bytes: 0 exactly for a zero block. Four at a time, in two halves of a word that neither can overflow. */
export function sumBlock(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset, TAR_BLOCK_SIZE);
  let sums = 0;
  for (let i = 0; i < TAR_BLOCK_SIZE; i += 4) {
    const word = view.getInt32(i);
    sums += (word & ODD_BYTES) + ((word >>> 8) & ODD_BYTES);
  }
  return (sums & 0xffff) + (sums >>> 16);
}

/**
 * Checks the checksum and reads format, type and size.
 *
 * @param sum - of {@link sumBlock}
 * @throws ChecksumError, InvalidNumberError
 */
export function readHeaderStart(block: Buffer, sum: number, rules: TarRules = 'standard'): HeaderStart {
  const expected = readOctal(block, 148, 156);
  let computed = sum + 8 * 0x20; // the checksum field itself counts as spaces
  for (let i = 148; i < 156; i++) computed -= block[i] ?? 0;
  if (expected !== computed && expected !== computed - signedExcess(block)) throw new ChecksumError(expected, computed);
  return { format: readFormat(block, rules), type: block[156] ?? 0, size: readNumeric(block, 124, 136) };
}

/** By how much the sum of bytes is less where they are signed, as on the machines of some old writers. */
function signedExcess(block: Uint8Array): number {
  let excess = 0;
  for (let i = 0; i < TAR_BLOCK_SIZE; i++) {
    if ((block[i] ?? 0) >= 0x80 && (i < 148 || i >= 156)) excess += 256;
  }
  return excess;
}

/**
 * Reads the numbers of an entry's header. Those that a PAX record overrides have to be well formed all the same.
 *
 * @throws InvalidNumberError
 */
export function readHeaderNumbers(block: Uint8Array): HeaderNumbers {
  return {
    // In the order of the reference: of several malformed fields the same one is reported.
    uid: readNumeric(block, 108, 116),
    gid: readNumeric(block, 116, 124),
    mtime: readNumeric(block, 136, 148),
    mode: readNumeric(block, 100, 108),
  };
}

/** Only devices are asked: other entries have anything in these fields. Undefined for a v7 header, which has none. */
export function readDevice(
  block: Uint8Array,
  format: TarFormat,
): { readonly major: number | bigint; readonly minor: number | bigint } | undefined {
  if (format === 'v7') return undefined;
  return { major: readNumeric(block, 329, 337), minor: readNumeric(block, 337, 345) };
}

/** `prefix/name` in a header with a prefix, else `name`. */
export function readHeaderPath(block: Buffer, format: TarFormat): ByteString {
  const name = untilNul(block, 0, 100);
  const prefix = readPrefix(block, format);
  return prefix === '' ? name : (`${prefix}/${name}` as ByteString);
}

/** False exactly where {@link readHeaderPath} gives nothing. */
export function hasHeaderPath(block: Buffer, format: TarFormat): boolean {
  return block[0] !== 0 || (format !== 'v7' && format !== 'gnu' && block[345] !== 0);
}

export function readLinkName(block: Buffer): ByteString {
  return untilNul(block, 157, 257);
}

const NOTHING = '' as ByteString;

/** The first part of the path; empty in a header that has none. */
function readPrefix(block: Buffer, format: TarFormat): ByteString {
  if (block[345] === 0 || format === 'v7' || format === 'gnu') return NOTHING;
  return untilNul(block, 345, format === 'star' ? 476 : 500);
}

/**
 * Before Go 1.8, and so in images of that time, long names with large numbers got a GNU header with a prefix where the
 * times of access and change should be. It shows as times that are no numbers; Go reads it in the same way.
 */
function hasMisplacedPrefix(block: Buffer): boolean {
  if (block[345] === 0 || (isNumber(block, 345, 357) && (block[357] === 0 || isNumber(block, 357, 369)))) return false;
  return !/[\x80-\xff]/.test(untilNul(block, 345, 500));
}

function isNumber(block: Uint8Array, start: number, end: number): boolean {
  try {
    readNumeric(block, start, end);
    return true;
  } catch {
    return false;
  }
}

/** The bytes up to the first NUL. */
export function untilNul(data: Buffer, start = 0, end: number = data.length): ByteString {
  const text = data.toString('latin1', start, end) as ByteString;
  const nul = text.indexOf('\0');
  return nul < 0 ? text : sliceBytes(text, 0, nul);
}

/** By magic, version and trailer: `ustar\0` and anything, or `ustar ` ` \0`; the reference wants `ustar\0` `00`. */
function readFormat(block: Buffer, rules: TarRules): TarFormat {
  if (block[257] !== 0x75 || block[258] !== 0x73 || block[259] !== 0x74 || block[260] !== 0x61 || block[261] !== 0x72) {
    return 'v7';
  }
  if (block[262] === 0x20 && block[263] === 0x20 && block[264] === 0) {
    return rules === 'standard' && hasMisplacedPrefix(block) ? 'old-go' : 'gnu';
  }
  if (block[262] !== 0) return 'v7';
  if (rules === 'reference') return block[263] === 0x30 && block[264] === 0x30 ? 'ustar' : 'v7';
  return block[508] === 0x74 && block[509] === 0x61 && block[510] === 0x72 && block[511] === 0 ? 'star' : 'ustar';
}
