import { isUtf8 as nodeIsUtf8 } from 'node:buffer';
import { type ByteString, sliceBytes } from '../bytes/byte-string.js';
import type { TarDifference, TarRules } from './header.js';
import { parseDecimal } from './numbers.js';
import { parseSparseMap, type SparseRegion } from './sparse.js';
import { ParseFailure } from './tar-error.js';

/**
 * The records of an `x` header that matter (spec 30 §5.4). Of several with the same key the last counts. An empty value
 * takes back what was there before, so that the header counts (POSIX); that of an xattr is a value.
 */
export interface PaxRecords {
  readonly path: ByteString | undefined;
  readonly linkPath: ByteString | undefined;
  /** For the reference an empty target. */
  readonly hasEmptyLinkPath: boolean;
  /** Numbers are unsigned 64-bit, bigint only beyond 2^53 - 1. */
  readonly size: number | bigint | undefined;
  readonly uid: number | bigint | undefined;
  readonly gid: number | bigint | undefined;
  /** Whole seconds; negative before 1970. */
  readonly mtime: number | bigint | undefined;
  readonly mtimeNsec: number;
  /** `GNU.sparse.name`: the real name of a sparse file. */
  readonly sparseName: ByteString | undefined;
  readonly sparse: PaxSparse | undefined;
  readonly xattrs: ReadonlyMap<ByteString, ByteString>;
  readonly differences: readonly TarDifference[];
}

/** What the records say of a sparse file. */
export interface PaxSparse {
  /** With the holes; absent where no record tells. */
  readonly size: number | bigint | undefined;
  /** Absent in format 1.0, where the map is at the beginning of the data. */
  readonly regions: readonly SparseRegion[] | undefined;
}

const XATTR_PREFIX = 'SCHILY.xattr.';
const SPARSE_OFFSET = 'GNU.sparse.offset';
const SPARSE_LENGTH = 'GNU.sparse.numbytes';

/**
 * Reads the data of an `x` header.
 *
 * @throws ParseFailure for a malformed record, or a malformed value under a key that matters
 */
export function parsePaxRecords(data: Buffer, rules: TarRules = 'standard'): PaxRecords {
  const values = new Map<string, ByteString>();
  const xattrs = new Map<ByteString, ByteString>();
  const differences: TarDifference[] = [];
  /** The map of format 0.0, whose keys come again and again. */
  const pairs: string[] = [];
  let firstTime: ByteString | undefined;
  for (const [key, value] of splitRecords(data, rules)) {
    if (key.startsWith(XATTR_PREFIX)) xattrs.set(sliceBytes(key, XATTR_PREFIX.length), value);
    else if (key === SPARSE_OFFSET || key === SPARSE_LENGTH) pairs.push(pairValue(key, value, pairs.length));
    else {
      if (key === 'mtime') firstTime ??= value;
      values.set(key, value);
    }
  }
  const value = (key: string): ByteString | undefined => {
    const found = values.get(key);
    return found === '' ? undefined : found;
  };
  const text = (key: string): ByteString | undefined => checkText(key, value(key));
  const number = (key: string): number | bigint | undefined => {
    const found = value(key);
    return found === undefined ? undefined : parseNumber(key, found);
  };
  const lastTime = value('mtime');
  const mtime = lastTime === undefined ? undefined : parseTime(lastTime);
  const firstNsec = parseNanoseconds(firstTime ?? NOTHING);
  const isFirst = firstTime === lastTime;
  if (mtime !== undefined && !isFirst && firstNsec !== mtime.nanoseconds) {
    differences.push('pax-time');
  }
  const hasEmptyLinkPath = values.get('linkpath') === '';
  return {
    path: text('path'),
    linkPath: text('linkpath') ?? (hasEmptyLinkPath && rules === 'reference' ? NOTHING : undefined),
    hasEmptyLinkPath,
    size: number('size'),
    uid: number('uid'),
    gid: number('gid'),
    mtime: mtime?.seconds,
    mtimeNsec: rules === 'standard' || isFirst ? (mtime?.nanoseconds ?? 0) : firstNsec,
    sparseName: text('GNU.sparse.name'),
    sparse: readSparse(value, number, pairs),
    xattrs,
    differences,
  };
}

const NOTHING = '' as ByteString;

/** Format 1.0 by its version, 0.0 by its pairs, 0.1 by its map; anything else is no sparse file. */
function readSparse(
  value: (key: string) => ByteString | undefined,
  number: (key: string) => number | bigint | undefined,
  pairs: readonly string[],
): PaxSparse | undefined {
  const major = value('GNU.sparse.major');
  const minor = value('GNU.sparse.minor');
  const size = number('GNU.sparse.size') ?? number('GNU.sparse.realsize');
  const map = pairs.length > 0 ? pairs.join(',') : value('GNU.sparse.map');
  const count = value('GNU.sparse.numblocks');
  const version = major === undefined || minor === undefined ? undefined : `${major}.${minor}`;
  if (version === '1.0') return { size, regions: undefined };
  const isVersion0 = version === '0.0' || version === '0.1';
  if (version !== undefined && !isVersion0) throw new ParseFailure(`unknown format ${version} of a sparse file`);
  if (map === undefined && !(isVersion0 && count !== undefined)) return undefined;
  return { size, regions: parseSparseMap(map ?? '', count) };
}

/** Offset and length in turn. */
function pairValue(key: string, value: ByteString, index: number): string {
  if (key !== (index % 2 === 0 ? SPARSE_OFFSET : SPARSE_LENGTH))
    throw new ParseFailure(`PAX record ${key} out of order`);
  return String(parseNumber(key, value));
}

function checkText(key: string, value: ByteString | undefined): ByteString | undefined {
  if (value?.includes('\0') === true) throw new ParseFailure(`PAX ${key} with a NUL: ${JSON.stringify(decode(value))}`);
  return value;
}

/**
 * The records `{length} {key}={value}\n` in order; the length counts the whole record. NULs may follow.
 * For the reference whatever does not begin with a length ends the records.
 */
function* splitRecords(data: Buffer, rules: TarRules): Generator<readonly [key: ByteString, value: ByteString]> {
  let start = 0;
  while (start < data.length) {
    const space = data.indexOf(0x20, start);
    const length = space < 0 ? undefined : parseDecimal(data.toString('latin1', start, space));
    if (length === undefined) {
      if (rules === 'reference' || data.subarray(start).every((byte) => byte === 0)) return;
      throw malformed();
    }
    const end = start + Number(length);
    const isRecord = end > space + 1 && end <= data.length && data[end - 1] === 0x0a;
    const equals = isRecord ? data.indexOf(0x3d, space + 1) : -1;
    if (equals < 0 || equals >= end) throw malformed();
    yield [
      data.toString('latin1', space + 1, equals) as ByteString,
      data.toString('latin1', equals + 1, end - 1) as ByteString,
    ];
    start = end;
  }
}

function malformed(): ParseFailure {
  return new ParseFailure('PAX error: malformed PAX extension record');
}

function parseNumber(key: string, value: ByteString, digits: string = value): number | bigint {
  const number = isUtf8(value) ? parseDecimal(digits) : undefined;
  if (number === undefined) throw invalidNumber(key, value);
  return number;
}

function invalidNumber(key: string, value: ByteString): ParseFailure {
  const shown = isUtf8(value) ? decode(value) : '<non-UTF-8>';
  return new ParseFailure(`invalid PAX ${key} value: ${JSON.stringify(shown)}`);
}

/**
 * `mtime`. Times before 1970, which the reference refuses, are what Go's tar writer and others give such files; as
 * seconds and nanoseconds -1.5 is -2 and +0.5.
 */
function parseTime(value: ByteString): { seconds: number | bigint; nanoseconds: number } {
  const isNegative = value.startsWith('-');
  const point = value.indexOf('.');
  const digits = value.slice(isNegative ? 1 : 0, point < 0 ? value.length : point);
  const seconds = parseNumber('mtime', value, digits);
  const nanoseconds = parseNanoseconds(value);
  if (!isNegative) return { seconds, nanoseconds };
  if (typeof seconds === 'bigint' || digits.startsWith('+')) throw invalidNumber('mtime', value);
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/**
 * The fraction of a PAX time in nanoseconds, cut to nine digits and never rounded; 0 where it is not a number
 * (spec 30 §6.2).
 */
export function parseNanoseconds(value: ByteString): number {
  const point = value.indexOf('.');
  if (point < 0) return 0;
  const digits = value.slice(point + 1, point + 10);
  return Number(parseDecimal(digits) ?? 0) * 10 ** (9 - digits.length);
}

function isUtf8(bytes: ByteString): boolean {
  return !/[\x80-\xff]/.test(bytes) || nodeIsUtf8(Buffer.from(bytes, 'latin1'));
}

function decode(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
