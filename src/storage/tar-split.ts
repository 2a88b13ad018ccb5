import { readSync } from 'node:fs';
import { type ByteString, byteStringFrom, byteStringFromText } from '../bytes/byte-string.js';
import { decompress } from '../compression/decompress.js';
import { StoreError } from './store-error.js';

/** One line of a tar-split (spec 60 §8.1). */
export type TarSplitItem =
  | { readonly type: 'segment'; readonly bytes: Buffer }
  | {
      readonly type: 'file';
      readonly name: ByteString;
      /** Bytes; 0 of all that has no content. */
      readonly size: number;
      /** CRC-64 of the content, 8 bytes; undefined where there is none. */
      readonly crc: Buffer | undefined;
    };

/** A segment is what lies between two files: headers, with at most some MiB of extensions. */
const MAX_LINE = 32 << 20;
/** Two lines an entry. Lines may be of no bytes of the tar, so the bounds of that say nothing of them. */
const MAX_LINES = 16_000_000;
const READ_SIZE = 256 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads a tar-split from an open `.tar-split.gz`, many lines at a time: each step of an asynchronous iteration costs more
 * than a line.
 *
 * @param name of the file, for messages.
 * @throws StoreError `INVALID_TAR_SPLIT`
 */
export async function* readTarSplit(fd: number, name: string): AsyncGenerator<Iterable<TarSplitItem>> {
  let count = 0;
  function* parse(lines: string): Generator<TarSplitItem> {
    for (let start = 0; start < lines.length; ) {
      if (++count > MAX_LINES) throw invalid(name, `more than ${MAX_LINES} lines`);
      USUAL_LINE.lastIndex = start;
      const usual = USUAL_LINE.exec(lines);
      if (usual !== null) {
        start = USUAL_LINE.lastIndex;
        yield usualItem(usual, { name, number: count });
        continue;
      }
      const newline = lines.indexOf('\n', start);
      const end = newline < 0 ? lines.length : newline;
      yield parseLine(Buffer.from(lines.slice(start, end), 'latin1').toString('utf8'), name, count);
      start = end + 1;
    }
  }
  for await (const batch of lines(fd, name)) yield parse(batch.toString('latin1'));
}

/**
 * A line as containers/storage writes it, where nothing in it is escaped and no name is outside of ASCII: what JSON makes
 * of it is seen without parsing it. The groups: payload of a segment; name, size and CRC of a file.
 */
const USUAL_LINE =
  /\{"type":(?:2,"payload":"([A-Za-z0-9+/]*={0,2})"|1,"name":"([ !#-[\]-~]*)"(?:,"size":([1-9]\d{0,14}))?,"payload":(?:null|"([A-Za-z0-9+/]{11}=)")),"position":(?:0|[1-9]\d{0,14})\}\n/y;

function usualItem([, payload, name = '', size = '0', crc]: RegExpExecArray, at: Place): TarSplitItem {
  if (payload !== undefined) return { type: 'segment', bytes: base64(payload, at, 'payload') };
  const bytes = crc === undefined ? undefined : Buffer.from(crc, 'base64');
  return { type: 'file', name: byteStringFromText(name), size: Number(size), crc: bytes };
}

/** @param name of the file, and @param number of the line, for messages. @throws StoreError `INVALID_TAR_SPLIT` */
export function parseLine(line: string, name: string, number: number): TarSplitItem {
  const at: Place = { name, number };
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch (cause) {
    throw new StoreError(
      'INVALID_TAR_SPLIT',
      `tar-split error: Failed to parse tar-split entry: ${name}, line ${number}`,
      { cause },
    );
  }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw invalidLine(at, 'expected an object');
  const { type, payload, size, name: text, name_raw: raw } = fieldsOf(entry);
  if (type === 2) return { type: 'segment', bytes: base64(payload ?? '', at, 'payload') };
  if (type !== 1) throw invalidLine(at, `Invalid tar-split entry type: ${String(type)}`);
  const bytes = size ?? 0;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) throw invalidLine(at, 'invalid size');
  const path = raw === undefined || raw === null ? textName(text, at) : byteStringFrom(base64(raw, at, 'name_raw'));
  const crc = payload === undefined || payload === null ? undefined : base64(payload, at, 'payload');
  if (crc !== undefined && crc.length !== 8) throw invalidLine(at, `Invalid CRC64 length: ${crc.length} bytes`);
  return { type: 'file', name: path, size: bytes, crc };
}

/** Where a line is; put into words only if something is wrong with it. */
interface Place {
  readonly name: string;
  readonly number: number;
}

function invalidLine({ name, number }: Place, why: string): StoreError {
  return invalid(`${name}, line ${number}`, why);
}

type Fields = Readonly<Partial<Record<'type' | 'payload' | 'size' | 'name' | 'name_raw', unknown>>>;

function fieldsOf(entry: object): Fields {
  return entry;
}

function textName(text: unknown, at: Place): ByteString {
  if (text === undefined || text === null) return byteStringFromText('');
  if (typeof text !== 'string') throw invalidLine(at, 'the name is no text');
  return byteStringFromText(text);
}

function base64(value: unknown, at: Place, field: string): Buffer {
  if (typeof value !== 'string') throw invalidLine(at, `${field} is no text`);
  const bytes = Buffer.from(value, 'base64');
  // Node skips what is no base64.
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  if (value.length % 4 !== 0 || bytes.length !== (value.length / 4) * 3 - padding) {
    throw invalidLine(at, `Failed to decode base64 ${field}`);
  }
  return bytes;
}

/** Whole lines, many at a time. */
async function* lines(fd: number, name: string): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let length = 0;
  for await (const chunk of unpacked(fd, name)) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      yield pending.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...pending, chunk.subarray(0, end)]);
      pending = [];
      length = 0;
    }
    if (end === chunk.length) continue;
    length += chunk.length - end;
    if (length > MAX_LINE) throw invalid(name, `a line of more than ${MAX_LINE >> 20} MiB`);
    pending.push(Buffer.from(chunk.subarray(end)));
  }
  if (pending.length > 0) yield Buffer.concat(pending);
}

async function* unpacked(fd: number, name: string): AsyncGenerator<Buffer> {
  try {
    yield* decompress(chunksOf(fd), 'gzip');
  } catch (cause) {
    throw new StoreError('INVALID_TAR_SPLIT', `tar-split error: Failed to read tar-split line: ${name}`, { cause });
  }
}

async function* chunksOf(fd: number): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const chunk = Buffer.allocUnsafeSlow(READ_SIZE);
    const count = readSync(fd, chunk, 0, READ_SIZE, position);
    if (count === 0) return;
    position += count;
    yield chunk.subarray(0, count);
  }
}

function invalid(name: string, why: string): StoreError {
  return new StoreError('INVALID_TAR_SPLIT', `tar-split error: ${name}: ${why}`);
}
