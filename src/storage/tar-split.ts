import { readSync } from 'node:fs';
import { decompress } from '../compression/decompress.js';
import { StoreError } from './store-error.js';

/** One line of a tar-split (spec 60 §8.1). */
export type TarSplitItem =
  | { readonly type: 'segment'; readonly bytes: Buffer }
  | {
      readonly type: 'file';
      readonly name: Buffer;
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
  function* parse(batch: Iterable<string>): Generator<TarSplitItem> {
    for (const line of batch) {
      if (++count > MAX_LINES) throw invalid(name, `more than ${MAX_LINES} lines`);
      yield parseLine(line, name, count);
    }
  }
  for await (const batch of lines(fd, name)) yield parse(batch);
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
  const path = raw === undefined || raw === null ? textName(text, at) : base64(raw, at, 'name_raw');
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

function textName(text: unknown, at: Place): Buffer {
  if (text === undefined || text === null) return Buffer.alloc(0);
  if (typeof text !== 'string') throw invalidLine(at, 'the name is no text');
  return Buffer.from(text, 'utf8');
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

async function* lines(fd: number, name: string): AsyncGenerator<readonly string[]> {
  let pending: Buffer[] = [];
  let length = 0;
  for await (const chunk of unpacked(fd, name)) {
    const batch: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const rest = chunk.subarray(start, end);
      start = end + 1;
      batch.push(pending.length === 0 ? rest.toString('utf8') : Buffer.concat([...pending, rest]).toString('utf8'));
      pending = [];
      length = 0;
    }
    if (batch.length > 0) yield batch;
    if (start === chunk.length) continue;
    length += chunk.length - start;
    if (length > MAX_LINE) throw invalid(name, `a line of more than ${MAX_LINE >> 20} MiB`);
    pending.push(Buffer.from(chunk.subarray(start)));
  }
  if (pending.length > 0) yield [Buffer.concat(pending).toString('utf8')];
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
