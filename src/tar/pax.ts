import { isUtf8 as nodeIsUtf8 } from 'node:buffer';
import { type ByteString, sliceBytes } from '../bytes/byte-string.js';
import { parseDecimal } from './numbers.js';

/**
 * The records of an `x` header that matter (spec 30 §5.4). Of several with the same key the last counts. An empty value
 * is a value.
 */
export interface PaxRecords {
  readonly path: ByteString | undefined;
  readonly linkPath: ByteString | undefined;
  /** Numbers are unsigned 64-bit, bigint only beyond 2^53 - 1. */
  readonly size: number | bigint | undefined;
  readonly uid: number | bigint | undefined;
  readonly gid: number | bigint | undefined;
  /** Whole seconds; negative before 1970. */
  readonly mtime: number | bigint | undefined;
  /** Nanoseconds of the *first* `mtime` record, as in the reference. */
  readonly mtimeNsec: number;
  /** `GNU.sparse.name`: the real name of a sparse file. */
  readonly sparseName: ByteString | undefined;
  /** The records describe the holes of a sparse file. */
  readonly isSparse: boolean;
  readonly xattrs: ReadonlyMap<ByteString, ByteString>;
}

/** Thrown by {@link parsePaxRecords}; never leaves `src/tar`. */
export class PaxError extends Error {}

const XATTR_PREFIX = 'SCHILY.xattr.';

const NUMBER_KEYS: ReadonlySet<string> = new Set([
  'size',
  'uid',
  'gid',
  'GNU.sparse.major',
  'GNU.sparse.minor',
  'GNU.sparse.size',
  'GNU.sparse.realsize',
  'GNU.sparse.offset',
  'GNU.sparse.numbytes',
]);

/**
 * Reads the data of an `x` header.
 *
 * @throws PaxError for a malformed record, or a malformed number under a key that matters
 */
export function parsePaxRecords(data: Buffer): PaxRecords {
  const values = new Map<string, ByteString>();
  const numbers = new Map<string, number | bigint>();
  const xattrs = new Map<ByteString, ByteString>();
  let mtimeNsec: number | undefined;
  let isSparse = false;
  for (const [key, value] of splitRecords(data)) {
    if (key.startsWith(XATTR_PREFIX)) {
      xattrs.set(sliceBytes(key, XATTR_PREFIX.length), value);
    } else if (key === 'mtime') {
      const time = parseTime(value);
      numbers.set(key, time.seconds);
      mtimeNsec ??= time.nanoseconds;
    } else if (NUMBER_KEYS.has(key)) {
      numbers.set(key, parseNumber(key, value));
      if (key === 'GNU.sparse.numbytes' && numbers.has('GNU.sparse.offset')) isSparse = true;
    } else {
      values.set(key, value);
    }
  }
  const isVersion1 = numbers.get('GNU.sparse.major') === 1 && numbers.get('GNU.sparse.minor') === 0;
  return {
    path: values.get('path'),
    linkPath: values.get('linkpath'),
    size: numbers.get('size'),
    uid: numbers.get('uid'),
    gid: numbers.get('gid'),
    mtime: numbers.get('mtime'),
    mtimeNsec: mtimeNsec ?? 0,
    sparseName: values.get('GNU.sparse.name'),
    isSparse: isSparse || isVersion1 || values.has('GNU.sparse.map'),
    xattrs,
  };
}

/**
 * The records `{length} {key}={value}\n` in order; the length counts the whole record. Whatever does not begin with a
 * length silently ends the records.
 */
function* splitRecords(data: Buffer): Generator<readonly [key: ByteString, value: ByteString]> {
  let start = 0;
  while (start < data.length) {
    const space = data.indexOf(0x20, start);
    const length = space < 0 ? undefined : parseDecimal(data.toString('latin1', start, space));
    if (length === undefined) return;
    const end = start + Number(length);
    const isRecord = end > space + 1 && end <= data.length && data[end - 1] === 0x0a;
    const equals = isRecord ? data.indexOf(0x3d, space + 1) : -1;
    if (equals < 0 || equals >= end) throw new PaxError('PAX error: malformed PAX extension record');
    const key = data.toString('latin1', space + 1, equals) as ByteString;
    if (!isUtf8(key)) throw new PaxError(`invalid UTF-8 in PAX key: ${JSON.stringify(decode(key))}`);
    yield [key, data.toString('latin1', equals + 1, end - 1) as ByteString];
    start = end;
  }
}

function parseNumber(key: string, value: ByteString, digits: string = value): number | bigint {
  const number = isUtf8(value) ? parseDecimal(digits) : undefined;
  if (number === undefined) throw invalidNumber(key, value);
  return number;
}

function invalidNumber(key: string, value: ByteString): PaxError {
  const shown = isUtf8(value) ? decode(value) : '<non-UTF-8>';
  return new PaxError(`invalid PAX ${key} value: ${JSON.stringify(shown)}`);
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
