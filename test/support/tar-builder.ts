/**
 * Tars for tests. Every function gives the bytes of one part; {@link tarArchive} puts parts together.
 *
 * The headers have the exact form of the fixtures (spec 40 §16): mode, uid, gid and checksum as 7 octal digits and NUL,
 * size and mtime as 11 octal digits and NUL, magic `ustar\0` `00`, everything else NUL.
 */

export interface TarFields {
  readonly name: string | Buffer;
  /** The type byte as a character. Default `0`. */
  readonly type?: string | Buffer;
  /** Default 0o644; 0o755 for directories; 0o777 for symlinks. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly mtime?: number;
  readonly linkname?: string | Buffer;
  /** `v7` has neither magic nor version. */
  readonly format?: 'ustar' | 'gnu' | 'v7';
  readonly major?: number;
  readonly minor?: number;
  readonly prefix?: string | Buffer;
  /** Changes raw bytes before the checksum is computed. */
  readonly patch?: (header: Buffer) => void;
  /** Written in place of the right checksum. */
  readonly checksum?: number;
}

type OtherFields = Partial<TarFields>;

export const TAR_BLOCK = 512;

/** Two zero blocks. */
export const END_OF_ARCHIVE: Buffer = Buffer.alloc(2 * TAR_BLOCK);

/** One header block. Fields that are too long are cut, to make malformed ones easy. */
export function tarHeader(fields: TarFields): Buffer {
  const header = Buffer.alloc(TAR_BLOCK);
  put(header, 0, 100, fields.name);
  putOctal(header, 100, 8, fields.mode ?? 0o644);
  putOctal(header, 108, 8, fields.uid ?? 0);
  putOctal(header, 116, 8, fields.gid ?? 0);
  putOctal(header, 124, 12, fields.size ?? 0);
  putOctal(header, 136, 12, fields.mtime ?? 0);
  put(header, 156, 1, fields.type ?? '0');
  put(header, 157, 100, fields.linkname ?? '');
  const format = fields.format ?? 'ustar';
  if (format === 'ustar') put(header, 257, 8, 'ustar\x0000');
  if (format === 'gnu') put(header, 257, 8, 'ustar  \0');
  if (fields.major !== undefined) putOctal(header, 329, 8, fields.major);
  if (fields.minor !== undefined) putOctal(header, 337, 8, fields.minor);
  put(header, 345, 155, fields.prefix ?? '');
  fields.patch?.(header);
  fixChecksum(header, fields.checksum);
  return header;
}

/** Sets the checksum field to the right value, or to `checksum`. */
export function fixChecksum(header: Buffer, checksum?: number): void {
  header.fill(0x20, 148, 156);
  const sum = header.subarray(0, TAR_BLOCK).reduce((total, byte) => total + byte, 0);
  putOctal(header, 148, 8, checksum ?? sum);
}

/** Any entry with data: a header whose size is that of the data, unless given, and the padded data. */
export function tarEntry(fields: TarFields, data: string | Buffer = ''): Buffer {
  const bytes = toBuffer(data);
  return Buffer.concat([tarHeader({ size: bytes.length, ...fields }), padded(bytes)]);
}

export function tarFile(name: string | Buffer, data: string | Buffer, fields: OtherFields = {}): Buffer {
  return tarEntry({ name, ...fields }, data);
}

export function tarDirectory(name: string | Buffer, fields: OtherFields = {}): Buffer {
  return tarHeader({ name, type: '5', mode: 0o755, ...fields });
}

export function tarSymlink(name: string | Buffer, target: string | Buffer, fields: OtherFields = {}): Buffer {
  return tarHeader({ name, type: '2', mode: 0o777, linkname: target, ...fields });
}

export function tarHardlink(name: string | Buffer, target: string | Buffer, fields: OtherFields = {}): Buffer {
  return tarHeader({ name, type: '1', linkname: target, ...fields });
}

/** `3` is a character device, `4` a block device. */
export function tarDevice(name: string, type: '3' | '4', major: number, minor: number): Buffer {
  return tarHeader({ name, type, major, minor });
}

export function tarFifo(name: string, fields: OtherFields = {}): Buffer {
  return tarHeader({ name, type: '6', ...fields });
}

/** One PAX record: its length counts its own digits. */
export function paxRecord(key: string | Buffer, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(' '), toBuffer(key), Buffer.from('='), toBuffer(value), Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export type PaxRecords = readonly (readonly [key: string, value: string | Buffer])[];

/** An `x` header (or `g`, by its type) with its records. */
export function paxHeader(records: PaxRecords, fields: OtherFields = {}): Buffer {
  const data = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  return tarEntry({ name: 'PaxHeader', type: 'x', ...fields }, data);
}

/** A GNU `L` header; the name gets a trailing NUL, as GNU tar writes it. */
export function gnuLongName(name: string | Buffer, fields: OtherFields = {}): Buffer {
  const data = Buffer.concat([toBuffer(name), Buffer.alloc(1)]);
  return tarEntry({ name: '././@LongLink', type: 'L', format: 'gnu', ...fields }, data);
}

/** A GNU `K` header for the link target. */
export function gnuLongLink(target: string | Buffer, fields: OtherFields = {}): Buffer {
  return gnuLongName(target, { type: 'K', ...fields });
}

/** Writes a base-256 number into a field of a header: for `patch`. Negative numbers get all leading one bits. */
export function putBase256(header: Buffer, offset: number, length: number, value: bigint): void {
  let rest = value;
  for (let i = offset + length - 1; i >= offset; i--) {
    header[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  header[offset] = (header[offset] ?? 0) | 0x80;
}

/** The parts, two zero blocks, and zeros up to a multiple of `recordSize`, as GNU tar does it with 10240. */
export function tarArchive(parts: readonly Buffer[], recordSize: number = TAR_BLOCK): Buffer {
  const data = Buffer.concat([...parts, END_OF_ARCHIVE]);
  return Buffer.concat([data, Buffer.alloc((recordSize - (data.length % recordSize)) % recordSize)]);
}

/** The data and NULs up to a whole block. */
export function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((TAR_BLOCK - (data.length % TAR_BLOCK)) % TAR_BLOCK)]);
}

function put(header: Buffer, offset: number, length: number, value: string | Buffer): void {
  toBuffer(value).copy(header, offset, 0, length);
}

function putOctal(header: Buffer, offset: number, length: number, value: number): void {
  put(header, offset, length - 1, value.toString(8).padStart(length - 1, '0'));
  header[offset + length - 1] = 0;
}

function toBuffer(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : value;
}
