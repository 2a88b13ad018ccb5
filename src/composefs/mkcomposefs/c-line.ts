import { type ByteString, byteStringFromText, sliceBytes } from '../../bytes/byte-string.js';
import { safeInteger } from '../../bytes/integer.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/constants.js';
import { DumpfileError } from '../dumpfile/dumpfile-error.js';
import { unescapeBytesC } from '../dumpfile/escape.js';
import { LineFields } from '../dumpfile/lines.js';
import { XattrCache } from '../dumpfile/xattr-cache.js';
import { NO_XATTRS, type Stat, type Xattrs } from '../tree/stat.js';
import { low32, parseLenientU64, parseU64, type U64 } from './c-integer.js';

/** The longest path, symlink target and payload, in bytes. */
const C_PATH_MAX = 4095;
/** The longest content, in bytes. */
export const C_INLINE_MAX = 5000;
const XATTR_FIELDS_MAX = 65535;
/** What the C tools take of the xattrs of one inode (spec 20 §16.16). */
const C_XATTR_NAME_MAX = 255;
const C_XATTR_VALUE_MAX = 65535;
/** Bytes that all of them need, as C counts them. */
const C_XATTR_AREA_MAX = 32767;
const C_XATTR_AREA_HEADER = 12;
const C_XATTR_ENTRY_OVERHEAD = 7;

/** The start of a line: all that is read of it before the node is put in its place. */
export interface CLineHead {
  readonly path: ByteString;
  readonly isHardlink: boolean;
  /** All 32 bits of MODE. */
  readonly mode: number;
  /** All fields before the xattrs, as many as there are. */
  readonly fields: readonly ByteString[];
  /** The fields of the xattrs; undefined if the line ends before them. */
  readonly xattrs: ByteString | undefined;
}

/** Where the fields are, in {@link CLineHead.fields}. */
const PATH = 0;
const SIZE = 1;
const MODE = 2;
const NLINK = 3;
const UID = 4;
const GID = 5;
const RDEV = 6;
const MTIME = 7;
const PAYLOAD = 8;
const CONTENT = 9;
const DIGEST = 10;
const FIELDS = 11;

/** The rest of a line that is no hard link. */
export interface CLineBody {
  readonly stat: Stat;
  readonly size: U64;
  readonly nlink: number;
  readonly rdev: number;
  readonly payload: ByteString | undefined;
  readonly content: ByteString | undefined;
  readonly digest: ByteString | undefined;
}

export interface CLineOptions {
  readonly strict: boolean;
  /** One for all lines of a dumpfile. */
  readonly xattrCache: XattrCache;
}

export function parseCHead(line: ByteString): CLineHead {
  const nul = line.indexOf('\0');
  if (nul >= 0) throw new DumpfileError(`Invalid embedded NUL character at position ${nul}`);
  const fields = line.split(' ', FIELDS) as ByteString[];
  const path = unescapeCString(at(fields, PATH));
  if (path === '') throw new DumpfileError('Invalid empty path');
  const modeField = at(fields, MODE);
  const isHardlink = modeField.startsWith('@');
  const mode = low32(parseU64(isHardlink ? sliceBytes(modeField, 1) : modeField, 8));
  if (!FILE_TYPES.has(mode & S_IFMT)) throw new DumpfileError(`Invalid mode ${mode.toString(8)}`);
  return { path, isHardlink, mode, fields, xattrs: afterFields(line, fields) };
}

/** All that follows the last of the fields and its space. */
function afterFields(line: ByteString, fields: readonly ByteString[]): ByteString | undefined {
  if (fields.length < FIELDS) return undefined;
  let start = FIELDS;
  for (let index = 0; index < FIELDS; index++) start += at(fields, index).length;
  return start > line.length ? undefined : sliceBytes(line, start);
}

const FILE_TYPES: ReadonlySet<number> = new Set([S_IFREG, S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK]);

/** The target path, unescaped, of a hard link: all that counts of its line. Undefined if absent. */
export function parseCLinkTarget({ fields }: CLineHead): ByteString | undefined {
  const target = optional(at(fields, PAYLOAD));
  return target === undefined ? undefined : unescapeCString(target);
}

export function parseCBody({ mode, fields, xattrs }: CLineHead, options: CLineOptions): CLineBody {
  const { strict } = options;
  const size = parseU64(at(fields, SIZE), 10);
  const nlink = low32(parseU64(at(fields, NLINK), 10));
  const uid = low32(parseU64(at(fields, UID), 10));
  // The C parser looks at uid where it means gid and rdev: with any other uid than 0 an invalid number is 0 there.
  const gid = low32(parseLenientU64(at(fields, GID), uid !== 0));
  const rdev = low32(parseLenientU64(at(fields, RDEV), uid !== 0));
  const type = mode & S_IFMT;
  const isDevice = type === S_IFBLK || type === S_IFCHR;
  if (strict && rdev !== 0 && !isDevice) throw new DumpfileError('Non-zero devnum on non-device');
  const mtime = at(fields, MTIME);
  const dot = mtime.indexOf('.');
  const mtimeSec = parseU64(dot < 0 ? mtime : sliceBytes(mtime, 0, dot), 10);
  const mtimeNsec = low32(parseU64(dot < 0 ? NOTHING : sliceBytes(mtime, dot + 1), 10));
  const payloadField = optional(at(fields, PAYLOAD));
  const payload = payloadField === undefined ? undefined : unescapeCString(payloadField);
  const contentField = optional(at(fields, CONTENT));
  const content = contentField === undefined ? undefined : unescapeBytesC(contentField);
  checkContent(type === S_IFLNK, size, payload, content, strict);
  const digestField = optional(at(fields, DIGEST));
  const digest = digestField === undefined ? undefined : unescapeCString(digestField);
  const stat: Stat = {
    mode: mode & 0o7777,
    uid,
    gid,
    mtimeSec: typeof mtimeSec === 'number' ? mtimeSec : safeInteger(BigInt.asIntN(64, mtimeSec), 'mtime'),
    mtimeNsec,
    xattrs: options.xattrCache.get(xattrs),
  };
  return { stat, size, nlink, rdev: isDevice ? rdev : 0, payload, content, digest };
}

function checkContent(
  isSymlink: boolean,
  size: U64,
  payload: ByteString | undefined,
  content: ByteString | undefined,
  strict: boolean,
): void {
  if (content !== undefined && !isSame(content.length, size)) {
    throw new DumpfileError(`Invalid content size ${content.length}, must match size ${size}`);
  }
  if (isSymlink) {
    if (payload === undefined || payload === '' || payload.length > C_PATH_MAX) {
      throw new DumpfileError('Invalid symlink');
    }
    if (!strict) return;
    if (!isSame(payload.length, size)) {
      throw new DumpfileError(`Invalid symlink size ${payload.length}, must match size ${size}`);
    }
    if (content !== undefined) throw new DumpfileError('Symlink cannot have content');
    return;
  }
  if (payload !== undefined && payload.length > C_PATH_MAX) throw new DumpfileError('Invalid payload');
  if (content !== undefined && content.length > C_INLINE_MAX) {
    throw new DumpfileError(`Inline content size ${content.length} exceeds maximum ${C_INLINE_MAX}`);
  }
}

/** Small numbers are numbers. */
function isSame(length: number, size: U64): boolean {
  return length === (typeof size === 'number' ? size : Number(size));
}

export function newCXattrCache(): XattrCache {
  return new XattrCache(parseXattrs);
}

/** One space too many at the end is fine. */
function parseXattrs(text: ByteString): Xattrs {
  if (text.length > XATTR_FIELDS_MAX) throw new DumpfileError('Too many xattrs');
  if (text === '') return NO_XATTRS;
  const fields = new LineFields(text.endsWith(' ') ? sliceBytes(text, 0, -1) : text);
  const xattrs = new Map<ByteString, ByteString>();
  let areaSize = C_XATTR_AREA_HEADER;
  for (let field = fields.next(); field !== undefined; field = fields.next()) {
    const equals = field.indexOf('=');
    if (equals < 0) throw new DumpfileError('Missing = in xattr');
    const name = unescapeCString(sliceBytes(field, 0, equals));
    const value = unescapeBytesC(sliceBytes(field, equals + 1));
    const replaced = xattrs.get(name);
    if (replaced !== undefined) areaSize -= C_XATTR_ENTRY_OVERHEAD + name.length + replaced.length;
    areaSize += C_XATTR_ENTRY_OVERHEAD + name.length + value.length;
    const isNameValid = name.length >= 1 && name.length <= C_XATTR_NAME_MAX;
    if (!isNameValid || value.length > C_XATTR_VALUE_MAX || areaSize > C_XATTR_AREA_MAX) {
      throw new DumpfileError("Can't set xattr");
    }
    xattrs.delete(name);
    xattrs.set(name, value);
  }
  return xattrs;
}

const NOTHING: ByteString = byteStringFromText('');

/** Missing fields are empty. */
function at(fields: readonly ByteString[], index: number): ByteString {
  return fields[index] ?? NOTHING;
}

function optional(field: ByteString): ByteString | undefined {
  return field === '-' ? undefined : field;
}

/** A C string ends at its first NUL, which only an escape can write. */
function unescapeCString(field: ByteString): ByteString {
  const bytes = unescapeBytesC(field);
  const nul = bytes === field ? -1 : bytes.indexOf('\0');
  return nul < 0 ? bytes : sliceBytes(bytes, 0, nul);
}

/** Whether the C tools would take these xattrs. */
export function fitCXattrs(xattrs: Xattrs): boolean {
  let size = C_XATTR_AREA_HEADER;
  for (const [name, value] of xattrs) {
    if (name.length > C_XATTR_NAME_MAX || value.length > C_XATTR_VALUE_MAX) return false;
    size += C_XATTR_ENTRY_OVERHEAD + name.length + value.length;
  }
  return size <= C_XATTR_AREA_MAX;
}
