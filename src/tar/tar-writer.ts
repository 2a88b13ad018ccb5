import { isUtf8 } from 'node:buffer';
import { type ByteString, byteStringToBuffer } from '../bytes/byte-string.js';
import { TAR_BLOCK_SIZE } from './header.js';

/** One entry of a tar that is written. */
export interface TarMember {
  readonly type: TarMemberType;
  /** Without a slash at the beginning; that of a directory ends in one. */
  readonly path: ByteString;
  /** Permissions: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Since 1970, negative before. */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** Bytes of content that follow; only of a file. */
  readonly size?: number;
  /** Of a symlink, or the path of the first name of a hard link. */
  readonly linkTarget?: ByteString;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: ReadonlyMap<ByteString, ByteString>;
}

export type TarMemberType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo';

const TYPE_FLAGS: Readonly<Record<TarMemberType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};
const PAX_TYPE_FLAG = 'x';
const NAME_SIZE = 100;
const NO_XATTRS: ReadonlyMap<ByteString, ByteString> = new Map();

/** What ends a tar. */
export const TAR_END: Buffer = Buffer.alloc(2 * TAR_BLOCK_SIZE);

/**
 * The header blocks of an entry: ustar, and before it a PAX header with what ustar cannot say (POSIX 1003.1, pax). Xattrs
 * are `SCHILY.xattr.` records, as of GNU tar, star and Go; names that are not UTF-8 are bytes under `hdrcharset=BINARY`.
 * What fits in a ustar header has no PAX header.
 */
export function tarMemberHeader(member: TarMember): Buffer {
  const records = paxRecords(member);
  const header = ustarHeader(member, TYPE_FLAGS[member.type]);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const pax: TarMember = {
    type: 'file',
    path: 'PaxHeaders/entry' as ByteString,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    size: body.length,
  };
  return Buffer.concat([ustarHeader(pax, PAX_TYPE_FLAG), body, tarPadding(body.length), header]);
}

/** The zeros that follow `size` bytes of content. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((TAR_BLOCK_SIZE - (size % TAR_BLOCK_SIZE)) % TAR_BLOCK_SIZE);
}

/** Numbers that do not fit their field are 0 there: a PAX record has them. */
function ustarHeader(member: TarMember, typeFlag: string): Buffer {
  const header = Buffer.alloc(TAR_BLOCK_SIZE);
  const octal = (value: number, offset: number, digits: number): void => {
    header.write(fits(value, digits) ? value.toString(8).padStart(digits, '0') : '0'.repeat(digits), offset, 'latin1');
  };
  header.write(member.path.slice(0, NAME_SIZE), 0, 'latin1');
  octal(member.mode, 100, 7);
  octal(member.uid, 108, 7);
  octal(member.gid, 116, 7);
  octal(member.size ?? 0, 124, 11);
  octal(member.mtimeSec, 136, 11);
  header.write(' '.repeat(8), 148, 'latin1');
  header.write(typeFlag, 156, 'latin1');
  header.write((member.linkTarget ?? '').slice(0, NAME_SIZE), 157, 'latin1');
  header.write('ustar\0' + '00', 257, 'latin1');
  octal(member.device?.major ?? 0, 329, 7);
  octal(member.device?.minor ?? 0, 337, 7);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function fits(value: number, digits: number): boolean {
  return value >= 0 && value < 8 ** digits;
}

function paxRecords(member: TarMember): Buffer[] {
  const { path, linkTarget, xattrs = NO_XATTRS, mtimeSec, mtimeNsec } = member;
  const records: (readonly [key: ByteString | string, value: ByteString | string])[] = [];
  if (path.length > NAME_SIZE) records.push(['path', path]);
  if (linkTarget !== undefined && linkTarget.length > NAME_SIZE) records.push(['linkpath', linkTarget]);
  for (const key of ['uid', 'gid'] as const) {
    if (!fits(member[key], 7)) records.push([key, String(member[key])]);
  }
  if (!fits(member.size ?? 0, 11)) records.push(['size', String(member.size)]);
  if (mtimeNsec !== 0 || !fits(mtimeSec, 11)) records.push(['mtime', paxTime(mtimeSec, mtimeNsec)]);
  const names = records.filter(([key]) => key === 'path' || key === 'linkpath');
  if (names.some(([, value]) => !isUtf8(Buffer.from(value, 'latin1')))) records.unshift(['hdrcharset', 'BINARY']);
  const sorted = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted) records.push([`SCHILY.xattr.${escapeKey(name)}`, value]);
  return records.map(([key, value]) => paxRecord(key as ByteString, value as ByteString));
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: ByteString, value: ByteString): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return byteStringToBuffer(`${length} ${key}=${value}\n` as ByteString);
}

/** A key ends at the first `=`: GNU tar writes one in the name of an xattr this way, and is the only one to read it. */
function escapeKey(name: ByteString): ByteString {
  return name.includes('=') ? (name.replaceAll('%', '%25').replaceAll('=', '%3D') as ByteString) : name;
}

/** Decimal seconds. Before 1970 the fraction counts backwards, as of any negative number. */
function paxTime(seconds: number, nanoseconds: number): string {
  const isBefore = seconds < 0 && nanoseconds > 0;
  const whole = isBefore ? seconds + 1 : seconds;
  const fraction = isBefore ? 1_000_000_000 - nanoseconds : nanoseconds;
  const sign = isBefore && whole === 0 ? '-' : '';
  const digits = fraction === 0 ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`;
  return `${sign}${whole}${digits}`;
}
