import { type ByteString, concatBytes, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { roundUp, safeInteger } from '../../bytes/integer.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { LeafContent } from '../../composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../composefs/tree/stat.js';
import { ComposefsError } from '../../errors.js';
import { ENTRY_TYPE, entryTypeName, hasFileContent } from '../../tar/entry-type.js';
import { BLOCK_SIZE } from '../../tar/header.js';
import { low32, signed64 } from '../../tar/numbers.js';
import { entryLinkTarget, entryPath, type ParsedEntry, TarParser } from '../../tar/parser.js';
import { INLINE_CONTENT_MAX_V0 } from '../../tar/splitter.js';
import { TarError } from '../../tar/tar-error.js';

/** One entry of a layer, as the tar has it: whiteouts are files here. */
export interface TarEntry {
  /** Absolute, without trailing slash, otherwise as in the tar; empty for the root. */
  readonly path: ByteString;
  readonly stat: Stat;
  readonly item: TarItem;
}

export type TarItem =
  | { readonly type: 'directory' }
  | { readonly type: 'leaf'; readonly content: LeafContent }
  /** The target is a path in the form of {@link TarEntry.path}. */
  | { readonly type: 'hardlink'; readonly target: ByteString };

/** The part of a splitstream reader that entries are read with. */
export interface EntryReader {
  /** The next `length` inline bytes; undefined at the end of the stream. */
  readInlineExact(length: number): Buffer | undefined;
  /** An object, and `stored - actual` inline bytes dropped; or a copy of the first `actual` of `stored` inline bytes. */
  readExact(actual: number, stored: number): EntryData;
}

type EntryData =
  | { readonly type: 'inline'; readonly data: Buffer }
  | { readonly type: 'external'; readonly id: ObjectId };

/** A layer's splitstream that does not hold a tar which this implementation can represent. */
export class LayerError extends ComposefsError {
  constructor(message: string) {
    super('INVALID_LAYER', message);
  }
}

/**
 * The entries of a layer in the order of the tar (spec 30 §6). Ends at the end-of-archive blocks, or with the stream.
 *
 * @throws TarError, LayerError, and the errors of the reader
 */
export function* readTarEntries(reader: EntryReader): Generator<TarEntry> {
  const parser = new TarParser();
  let offset = 0;
  for (;;) {
    const block = reader.readInlineExact(BLOCK_SIZE);
    if (block === undefined) return;
    const step = parser.header(block, offset);
    offset += BLOCK_SIZE;
    switch (step.type) {
      case 'extension':
      case 'global': {
        const data = readBlocks(reader, step.size);
        if (data === undefined) return;
        if (step.type === 'extension') parser.extensionData(data);
        offset += roundUp(step.size, BLOCK_SIZE);
        break;
      }
      case 'entry':
        yield readEntry(reader, step.entry);
        offset += roundUp(step.entry.size, BLOCK_SIZE);
        break;
      case 'sparse':
        throw new TarError('Sparse tar entries are not supported', offset - BLOCK_SIZE);
      case 'end':
        return;
    }
  }
}

/** Inline data of at most 1 MiB, padded in the stream, which may cut it into chunks of whole blocks. */
function readBlocks(reader: EntryReader, size: number): Buffer | undefined {
  const blocks: Buffer[] = [];
  for (let position = 0; position < size; position += BLOCK_SIZE) {
    const block = reader.readInlineExact(BLOCK_SIZE);
    if (block === undefined) return undefined;
    blocks.push(block);
  }
  return Buffer.concat(blocks, size);
}

function readEntry(reader: EntryReader, entry: ParsedEntry): TarEntry {
  const path = makeAbsolute(entryPath(entry));
  const stat = entryStat(entry, path);
  // The header block belongs to the reader and may change with the next read.
  const target = entryLinkTarget(entry) ?? EMPTY;
  const data = readData(reader, entry, path);
  if (data.type === 'external') return { path, stat, item: externalItem(entry, data.id, path) };
  return { path, stat, item: inlineItem(entry, data.data, target, path) };
}

const EMPTY = '' as ByteString;

/** Data of unbounded size are skipped in pieces of this many bytes. */
const PIECE = 65536;

/** The object, or (at least the beginning of) the inline data of an entry. */
function readData(reader: EntryReader, { size, type }: ParsedEntry, path: ByteString): EntryData {
  const stored = roundUp(size, BLOCK_SIZE);
  if (stored <= PIECE) return reader.readExact(size, stored);
  // Inline data of this size are of no use: do not trust the header and hold them all.
  const data = reader.readExact(PIECE, PIECE);
  if (data.type === 'external') {
    skipInline(reader, stored - size);
  } else {
    if (hasFileContent(type)) throw storedLargeInline(size, path);
    skipInline(reader, stored - PIECE);
  }
  return data;
}

function skipInline(reader: EntryReader, size: number): void {
  for (let rest = size; rest > 0; rest -= Math.min(rest, PIECE)) {
    if (reader.readInlineExact(Math.min(rest, PIECE)) === undefined) {
      throw new LayerError('Unexpected EOF in splitstream');
    }
  }
}

function externalItem({ type, size }: ParsedEntry, id: ObjectId, path: ByteString): TarItem {
  if (!hasFileContent(type)) {
    throw invalid(`Unsupported external-chunked entry ${entryTypeName(type)} ${id}`, path);
  }
  if (size <= INLINE_CONTENT_MAX_V0) {
    throw invalid(`Splitstream incorrectly stored a small (${size} byte) file external`, path);
  }
  return leaf({ type: 'regular', file: { storage: 'external', id, size } });
}

function inlineItem(entry: ParsedEntry, data: Buffer, target: ByteString, path: ByteString): TarItem {
  switch (entry.type) {
    case ENTRY_TYPE.REGULAR:
    case ENTRY_TYPE.REGULAR_OLD:
    case ENTRY_TYPE.CONTIGUOUS:
      if (data.length > INLINE_CONTENT_MAX_V0) throw storedLargeInline(data.length, path);
      return leaf({ type: 'regular', file: { storage: 'inline', data } });
    case ENTRY_TYPE.DIRECTORY:
      return { type: 'directory' };
    case ENTRY_TYPE.LINK:
      return { type: 'hardlink', target: makeAbsolute(target) };
    case ENTRY_TYPE.SYMLINK:
      return leaf({ type: 'symlink', target });
    case ENTRY_TYPE.CHARACTER_DEVICE:
      return leaf({ type: 'character-device', rdev: entryDevice(entry, path) });
    case ENTRY_TYPE.BLOCK_DEVICE:
      return leaf({ type: 'block-device', rdev: entryDevice(entry, path) });
    case ENTRY_TYPE.FIFO:
      return leaf({ type: 'fifo' });
    default:
      throw invalid(`Unsupported entry type ${entryTypeName(entry.type)}`, path);
  }
}

/** Spec 30 §6.2. The mode is masked: type bits in a header must not contradict the type of the entry. */
function entryStat({ metadata, extensions }: ParsedEntry, path: ByteString): Stat {
  const { pax } = extensions;
  const mtime = signed64(pax?.mtime ?? metadata.mtime);
  return {
    mode: low32(metadata.mode) & 0o7777,
    uid: low32(pax?.uid ?? metadata.uid),
    gid: low32(pax?.gid ?? metadata.gid),
    mtimeSec: typeof mtime === 'number' ? mtime : safeInteger(mtime, `mtime of ${quoteBytes(path)}`),
    mtimeNsec: pax?.mtimeNsec ?? 0,
    xattrs: pax === undefined || pax.xattrs.size === 0 ? NO_XATTRS : pax.xattrs,
  };
}

function entryDevice({ metadata }: ParsedEntry, path: ByteString): number {
  if (metadata.device === undefined) throw invalid('Device entry without device numbers?', path);
  const { major, minor } = metadata.device;
  return safeInteger(makeDevice(BigInt(major), BigInt(minor)), `device number of ${quoteBytes(path)}`);
}

/** `makedev` of glibc, 64 bits (sys/sysmacros.h). */
export function makeDevice(major: bigint, minor: bigint): bigint {
  return ((major & 0xffff_f000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffff_ff00n) << 12n) | (minor & 0xffn);
}

/**
 * Makes a tar path absolute: one leading slash, no trailing ones, the root empty, the rest verbatim (spec 30 §6.3).
 */
export function makeAbsolute(path: ByteString): ByteString {
  const start = path.startsWith('/') ? 1 : 0;
  let end = path.length;
  while (end > start && path[end - 1] === '/') end--;
  return end === start ? EMPTY : concatBytes('/' as ByteString, sliceBytes(path, start, end));
}

function leaf(content: LeafContent): TarItem {
  return { type: 'leaf', content };
}

function storedLargeInline(size: number, path: ByteString): LayerError {
  return invalid(`Splitstream incorrectly stored a large (${size} byte) file inline`, path);
}

function invalid(message: string, path: ByteString): LayerError {
  return new LayerError(`${message} (entry ${quoteBytes(path)})`);
}
