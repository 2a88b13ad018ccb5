import { UINT64_MAX } from '../../bytes/integer.js';
/** Parsing single lines of the RS dumpfile form (spec 30 §12.2, §12.3). */

import { type ByteString, sliceBytes } from '../../bytes/byte-string.js';
import { safeInteger } from '../../bytes/integer.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/constants.js';
import { MAX_INLINE_CONTENT, SYMLINK_MAX } from '../tree/limits.js';
import { NO_XATTRS, type Xattrs } from '../tree/stat.js';
import { DumpfileError } from './dumpfile-error.js';
import { unescapeBytes } from './escape.js';
import { LineFields } from './lines.js';
import { XattrCache } from './xattr-cache.js';

/** As the reference takes them. */
const PATH_MAX = 4096;
const XATTR_NAME_MAX = 255;
const XATTR_LIST_MAX = 65535;
const XATTR_SIZE_MAX = 65535;

/** What a line is, apart from the stat. */
export type DumpItem =
  | { readonly type: 'directory' }
  | { readonly type: 'hardlink'; readonly target: ByteString }
  | { readonly type: 'inline'; readonly size: number; readonly data: ByteString }
  | { readonly type: 'object'; readonly size: number; readonly payload: ByteString; readonly digest?: ByteString }
  | { readonly type: 'symlink'; readonly target: ByteString }
  | { readonly type: 'block-device' | 'character-device'; readonly rdev: number }
  | { readonly type: 'fifo' | 'socket' };

/** One line. Of a hard link only the path and the target count; the rest is 0. */
export interface DumpEntry {
  readonly path: ByteString;
  /** All of MODE: type bits and whatever else there is. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSec: number;
  /** Not range checked. */
  readonly mtimeNsec: number;
  readonly xattrs: Xattrs;
  readonly item: DumpItem;
}

/**
 * @param xattrCache one for all lines of a dumpfile.
 * @throws DumpfileError
 */
export function parseDumpEntry(line: ByteString, xattrCache: XattrCache = newXattrCache()): DumpEntry {
  const fields = new LineFields(line);
  const path = canonicalPath(required(fields, 'path'));
  const size = parseU64(required(fields, 'size'), 'size');
  const modeField = required(fields, 'mode');
  const at = modeField.indexOf('@');
  if (at >= 0) return hardlinkEntry(path, parseMode(sliceBytes(modeField, at + 1)), fields);

  const mode = parseMode(modeField);
  const nlink = parseU32(required(fields, 'nlink'));
  const uid = parseU32(required(fields, 'uid'));
  const gid = parseU32(required(fields, 'gid'));
  const rdev = parseU64(required(fields, 'rdev'), 'device number');
  const [mtimeSec, mtimeNsec] = parseMtime(required(fields, 'mtime'));
  const content: ContentText = {
    size,
    rdev,
    payload: optional(required(fields, 'payload')),
    content: optional(required(fields, 'content')),
    digest: optional(required(fields, 'digest')),
  };
  const xattrs = xattrCache.get(fields.rest());
  return { path, mode, nlink, uid, gid, mtimeSec, mtimeNsec, xattrs, item: parseItem(mode, content) };
}

interface ContentText {
  readonly size: number;
  readonly rdev: number;
  readonly payload: ByteString | undefined;
  readonly content: ByteString | undefined;
  readonly digest: ByteString | undefined;
}

function hardlinkEntry(path: ByteString, mode: number, fields: LineFields): DumpEntry {
  if ((mode & S_IFMT) === S_IFDIR) throw new DumpfileError('Invalid hardlinked directory');
  for (const name of ['nlink', 'uid', 'gid', 'rdev', 'mtime']) required(fields, name);
  const payload = optional(required(fields, 'payload'));
  if (payload === undefined) throw missing('payload');
  const item: DumpItem = { type: 'hardlink', target: canonicalPath(payload) };
  return { path, mode: 0, nlink: 0, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS, item };
}

function parseItem(mode: number, fields: ContentText): DumpItem {
  switch (mode & S_IFMT) {
    case S_IFREG:
      checkNoDevice(fields);
      return parseRegular(fields);
    case S_IFLNK:
      checkBare(fields);
      checkNoDevice(fields);
      return { type: 'symlink', target: parseTarget(fields.payload) };
    case S_IFDIR:
      return bareItem(fields, 'directory');
    case S_IFIFO:
      return bareItem(fields, 'fifo');
    case S_IFSOCK:
      return bareItem(fields, 'socket');
    case S_IFCHR:
      checkBare(fields);
      return { type: 'character-device', rdev: fields.rdev };
    case S_IFBLK:
      checkBare(fields);
      return { type: 'block-device', rdev: fields.rdev };
    default:
      throw new DumpfileError(`Unhandled file type from raw mode: ${mode}`);
  }
}

function bareItem(fields: ContentText, type: 'directory' | 'fifo' | 'socket'): DumpItem {
  checkBare(fields);
  checkNoDevice(fields);
  return { type };
}

function parseRegular({ size, payload, content, digest }: ContentText): DumpItem {
  if (payload !== undefined) {
    const path = checkPath(unescapeBytes(payload));
    return { type: 'object', size, payload: path, ...(digest === undefined ? {} : { digest }) };
  }
  if (digest !== undefined) throw new DumpfileError('Inline file cannot have fsverity digest');
  return { type: 'inline', size, data: parseContent(content) };
}

function parseContent(content: ByteString | undefined): ByteString {
  if (content === undefined) return '' as ByteString;
  const data = unescapeBytes(content);
  if (data.length > MAX_INLINE_CONTENT) {
    const found = data.length === content.length ? ` ${data.length}` : '';
    throw new DumpfileError(`Input${found} exceeded maximum length ${MAX_INLINE_CONTENT}`);
  }
  return data;
}

function parseTarget(payload: ByteString | undefined): ByteString {
  if (payload === undefined) throw missing('payload');
  const target = checkPath(unescapeBytes(payload));
  if (target.length > SYMLINK_MAX) {
    throw new DumpfileError(`Symlink target length ${target.length} exceeds limit ${SYMLINK_MAX}`);
  }
  return target;
}

function checkBare({ content, digest }: ContentText): void {
  if (content !== undefined) throw new DumpfileError('entry cannot have content');
  if (digest !== undefined) throw new DumpfileError('entry cannot have fsverity digest');
}

function checkNoDevice({ rdev }: ContentText): void {
  if (rdev !== 0) throw new DumpfileError(`entry cannot have device (rdev) ${rdev}`);
}

export function newXattrCache(): XattrCache {
  return new XattrCache(parseXattrs);
}

function parseXattrs(text: ByteString): Xattrs {
  const fields = new LineFields(text);
  const xattrs = new Map<ByteString, ByteString>();
  let nameBytes = 0;
  for (let field = fields.next(); field !== undefined; field = fields.next()) {
    const equals = field.indexOf('=');
    if (equals < 0) throw new DumpfileError('Missing = in xattrs');
    const name = checkNoNul(unescapeBytes(sliceBytes(field, 0, equals)));
    checkXattrLength('name', name.length, XATTR_NAME_MAX);
    const value = unescapeBytes(sliceBytes(field, equals + 1));
    checkXattrLength('value', value.length, XATTR_SIZE_MAX);
    nameBytes += name.length;
    if (nameBytes > XATTR_LIST_MAX) throw new DumpfileError('Too many xattrs');
    // The reference sorts the pairs and lets the last one win.
    const earlier = xattrs.get(name);
    if (earlier === undefined || earlier < value) xattrs.set(name, value);
  }
  return xattrs;
}

function checkXattrLength(what: string, length: number, max: number): void {
  if (length > max) throw new DumpfileError(`xattr ${what} too long; max=${max} found=${length}`);
}

/** PATH and hard link targets: unescaped, absolute, without empty, `.` and `..` components. */
function canonicalPath(field: ByteString): ByteString {
  const path = checkPath(unescapeBytes(field));
  if (path[0] !== '/') throw new DumpfileError('Invalid non-absolute path');
  const bad = path === '/' ? null : /\/(\.{0,2})(?=\/|$)/.exec(path);
  if (bad === null) return path;
  throw new DumpfileError(
    bad[1] === '' ? 'Empty path component (// or trailing /)' : `Invalid path component '${bad[1]}'`,
  );
}

function checkPath(path: ByteString): ByteString {
  checkNoNul(path);
  if (path === '') throw new DumpfileError('Invalid empty path');
  if (path.length > PATH_MAX) throw new DumpfileError(`Path is too long: ${path.length} bytes`);
  return path;
}

function checkNoNul(bytes: ByteString): ByteString {
  if (bytes.includes('\0')) throw new DumpfileError('Invalid embedded NUL');
  return bytes;
}

function required(fields: LineFields, name: string): ByteString {
  const field = fields.next();
  if (field === undefined) throw missing(name);
  return field;
}

function missing(name: string): DumpfileError {
  return new DumpfileError(`Missing ${name}`);
}

function optional(field: ByteString): ByteString | undefined {
  return field === '-' ? undefined : field;
}

function parseMode(field: ByteString): number {
  const digits = checkDigits(field, /^\+?[0-7]+$/);
  const mode = Number.parseInt(digits, 8);
  if (mode > 0xffffffff) throw tooLarge();
  return mode;
}

function parseU32(field: ByteString): number {
  const value = Number(checkDigits(field, DECIMAL));
  if (value > 0xffffffff) throw tooLarge();
  return value;
}

function parseU64(field: ByteString, what: string): number {
  const digits = checkDigits(field, DECIMAL);
  return digits.length <= 15 ? Number(digits) : safeInteger(largeU64(digits), what);
}

function parseMtime(field: ByteString): [seconds: number, nanoseconds: number] {
  const dot = field.indexOf('.');
  if (dot < 0) throw new DumpfileError('Missing . in mtime');
  return [parseSeconds(sliceBytes(field, 0, dot)), parseU64(sliceBytes(field, dot + 1), 'nanoseconds')];
}

/** The reference reads an unsigned number and stores its bits as a signed one. */
function parseSeconds(field: ByteString): number {
  const digits = checkDigits(field, DECIMAL);
  return digits.length <= 15 ? Number(digits) : safeInteger(BigInt.asIntN(64, largeU64(digits)), 'mtime');
}

function largeU64(digits: string): bigint {
  // Leading zeros apart, 20 digits are the most; a BigInt of millions of digits takes its time.
  const significant = digits.replace(/^0+/, '') || '0';
  const value = significant.length > 20 ? undefined : BigInt(significant);
  if (value === undefined || value > UINT64_MAX) throw tooLarge();
  return value;
}

const DECIMAL = /^\+?[0-9]+$/;

function checkDigits(field: ByteString, pattern: RegExp): string {
  if (field === '') throw new DumpfileError('cannot parse integer from empty string');
  if (!pattern.test(field)) throw new DumpfileError('invalid digit found in string');
  return field.startsWith('+') ? field.slice(1) : field;
}

function tooLarge(): DumpfileError {
  return new DumpfileError('number too large to fit in target type');
}
