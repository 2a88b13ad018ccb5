import { type ByteString, concatBytes, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { roundUp } from '../../bytes/integer.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { DetachedRef } from '../../composefs/splitstream/format.js';
import type { SplitStreamReader } from '../../composefs/splitstream/reader.js';
import type { LeafContent } from '../../composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../composefs/tree/stat.js';
import { ComposefsError } from '../../errors.js';
import { entryLinkTarget, entryPath, type ParsedEntry } from '../../tar/entry.js';
import { ENTRY_TYPE, entryTypeName, hasFileContent } from '../../tar/entry-type.js';
import { expandSparse } from '../../tar/expand-sparse.js';
import { TAR_BLOCK_SIZE, type TarDifference, type TarRules } from '../../tar/header.js';
import { INLINE_CONTENT_MAX_V0 } from '../../tar/limits.js';
import { TarParser } from '../../tar/parser.js';
import type { SparseFile } from '../../tar/sparse.js';

/** One entry of a layer, as the tar has it: whiteouts are files here. */
export interface TarEntry {
  /** Absolute, without trailing slash, otherwise as in the tar; empty for the root. */
  readonly path: ByteString;
  readonly stat: Stat;
  readonly item: TarItem;
  /** @internal Of a sparse file that is an object: what that was made of. */
  readonly sparse?: StoredSparse;
  /** @internal Where the reference makes another entry of the same bytes. */
  readonly differences?: readonly TarDifference[];
}

/** What an entry of a layer is. */
export type TarItem =
  | { readonly type: 'directory' }
  | { readonly type: 'leaf'; readonly content: LeafContent }
  /** The target is a path in the form of {@link TarEntry.path}. */
  | { readonly type: 'hardlink'; readonly target: ByteString };

export interface StoredSparse {
  readonly file: SparseFile;
  /** The data of its regions; undefined if it is nothing but holes. */
  readonly data: ObjectId | undefined;
  /** Their size in bytes. */
  readonly dataSize: number;
}

/** The part of a splitstream reader that entries are read with. */
export interface EntryReader {
  /** Up to `length` inline bytes, fewer only at the end of a chunk; undefined at the end of the stream. */
  readInline(length: number): Buffer | undefined;
  /** An object, or a copy of `actual` inline bytes; then `stored - actual` bytes dropped, as far as they are there. */
  readExact(actual: number, stored: number): EntryData;
  /** The sparse files of more than 64 bytes, with their holes, in the order of the tar. */
  readonly detachedRefs: readonly DetachedRef[];
}

type EntryData =
  | { readonly type: 'inline'; readonly data: Buffer }
  | { readonly type: 'external'; readonly id: ObjectId };

/** A layer's splitstream that does not hold a tar which this implementation can represent. */
export class LayerError extends ComposefsError {
  constructor(message: string, hint?: string) {
    super('INVALID_LAYER', message, hint === undefined ? {} : { hint });
  }
}

/**
 * The entries of a layer in the order of the tar (spec 30 §6). Ends at the end-of-archive blocks, or with the stream.
 *
 * @throws TarError, LayerError, and the errors of the reader
 */
export function readTarEntries(reader: SplitStreamReader, rules?: TarRules): Generator<TarEntry>;
/** @internal */
export function readTarEntries(reader: EntryReader, rules?: TarRules): Generator<TarEntry>;
export function* readTarEntries(reader: EntryReader, rules: TarRules = 'standard'): Generator<TarEntry> {
  const parser = new TarParser(rules);
  let offset = 0;
  let sparseFiles = 0;
  for (;;) {
    const block = reader.readInline(TAR_BLOCK_SIZE);
    if (block === undefined) {
      if (parser.isInMap) throw new LayerError('Unexpected EOF in splitstream');
      return;
    }
    if (block.length < TAR_BLOCK_SIZE) return checkEnd(reader, block);
    const step = parser.header(block, offset);
    offset += TAR_BLOCK_SIZE;
    switch (step.type) {
      case 'extension':
      case 'global': {
        const data = readBlocks(reader, step.size);
        if (data === undefined) return;
        if (step.type === 'extension') parser.extensionData(data);
        offset += roundUp(step.size, TAR_BLOCK_SIZE);
        break;
      }
      case 'entry': {
        const { entry } = step;
        const isExpanded = (entry.sparse?.size ?? 0) > INLINE_CONTENT_MAX_V0;
        const entrySize = roundUp(entry.size, TAR_BLOCK_SIZE);
        yield isExpanded ? readSparse(reader, entry, sparseFiles++) : readEntry(reader, entry);
        offset += entrySize;
        break;
      }
      case 'end':
        return;
    }
  }
}

/** The last block of a tar may be cut short if nothing was in it. */
function checkEnd(reader: EntryReader, block: Buffer): void {
  const isEnd = block.every((byte) => byte === 0) && reader.readInline(1) === undefined;
  if (!isEnd) throw new LayerError('Unexpectedly small inline content when parsing splitstream');
}

/** Inline data of at most 1 MiB, padded in the stream, which may cut it into chunks of whole blocks. */
function readBlocks(reader: EntryReader, size: number): Buffer | undefined {
  const blocks: Buffer[] = [];
  for (let position = 0; position < size; position += TAR_BLOCK_SIZE) {
    const block = reader.readInline(TAR_BLOCK_SIZE);
    if (block === undefined) return undefined;
    // Only padding may be missing, at the end.
    if (block.length < TAR_BLOCK_SIZE && position + block.length < size)
      throw new LayerError('Unexpected EOF in splitstream');
    blocks.push(block);
  }
  return Buffer.concat(blocks, size);
}

function readEntry(reader: EntryReader, entry: ParsedEntry): TarEntry {
  const path = makeAbsolute(entryPath(entry));
  const more = entry.differences.length === 0 ? undefined : { differences: entry.differences };
  const stat = entryStat(entry);
  // The header block belongs to the reader and may change with the next read.
  const target = entryLinkTarget(entry) ?? EMPTY;
  const data = readData(reader, entry, path);
  if (data.type === 'external') return { path, stat, item: externalItem(entry, data.id, path), ...more };
  return { path, stat, item: inlineItem(entry, data.data, target, path), ...more };
}

/** A sparse file that is an object: its data are another one, whatever their size. */
function readSparse(reader: EntryReader, entry: ParsedEntry, index: number): TarEntry {
  const { sparse: file = NO_SPARSE_FILE, size: dataSize, differences } = entry;
  const path = makeAbsolute(entryPath(entry));
  const stat = entryStat(entry);
  const data = dataSize === 0 ? undefined : readData(reader, entry, path);
  if (data?.type === 'inline') throw invalid('Splitstream incorrectly stored the data of a sparse file inline', path);
  const { id, size } = reader.detachedRefs[index] ?? {};
  if (id === undefined || size !== file.size)
    throw invalid('Splitstream has no object for a sparse file with its holes', path);
  const item = leaf({ type: 'regular', file: { storage: 'external', id, size: file.size } });
  return { path, stat, item, sparse: { file, data: data?.id, dataSize }, differences };
}

const NO_SPARSE_FILE: SparseFile = { size: 0, regions: [] };

const EMPTY = '' as ByteString;

/** Data of unbounded size are skipped in pieces of this many bytes. */
const PIECE = 65536;

/** The object, or (at least the beginning of) the inline data of an entry. */
function readData(reader: EntryReader, { size, type }: ParsedEntry, path: ByteString): EntryData {
  const stored = roundUp(size, TAR_BLOCK_SIZE);
  if (stored <= PIECE) return reader.readExact(size, stored);
  // Inline data of this size are of no use: do not trust the header and hold them all.
  const data = reader.readExact(PIECE, PIECE);
  if (data.type === 'external') {
    skipPadding(reader, stored - size);
  } else {
    if (hasFileContent(type)) throw storedLargeInline(size, path);
    skipInline(reader, stored - PIECE);
  }
  return data;
}

/** Padding may be missing at the end of a tar. */
function skipPadding(reader: EntryReader, size: number): void {
  const padding = size === 0 ? undefined : reader.readInline(size);
  if (padding !== undefined && padding.length < size && reader.readInline(1) !== undefined) {
    throw new LayerError('Unexpectedly small inline content when parsing splitstream');
  }
}

function skipInline(reader: EntryReader, size: number): void {
  for (let rest = size; rest > 0; rest -= Math.min(rest, PIECE)) {
    const length = Math.min(rest, PIECE);
    if (reader.readInline(length)?.length !== length) throw new LayerError('Unexpected EOF in splitstream');
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
      return inlineFile(entry.sparse === undefined ? data : expandSparse(entry.sparse, data));
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

function inlineFile(data: Buffer): TarItem {
  return leaf({ type: 'regular', file: { storage: 'inline', data } });
}

/** Spec 30 §6.2. */
function entryStat({ metadata, extensions }: ParsedEntry): Stat {
  const { mode, uid, gid, mtimeSec, mtimeNsec } = metadata;
  const xattrs = extensions.pax?.xattrs;
  return {
    mode,
    uid,
    gid,
    mtimeSec,
    mtimeNsec,
    xattrs: xattrs === undefined || xattrs.size === 0 ? NO_XATTRS : xattrs,
  };
}

function entryDevice({ metadata }: ParsedEntry, path: ByteString): number {
  if (metadata.device === undefined) throw invalid('Device entry without device numbers?', path);
  const { major, minor } = metadata.device;
  return Number(makeDevice(BigInt(major), BigInt(minor)));
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
  return invalid(`Splitstream incorrectly stored a large (${size} byte) file inline`, path, STORED_OTHERWISE);
}

/** composefs-rs stores some tars so that only its own reading of them fits. */
const STORED_OTHERWISE =
  'a program that reads this tar in another way has stored it: untag the images of the layer, run gc, and pull again';

function invalid(message: string, path: ByteString, hint?: string): LayerError {
  return new LayerError(`${message} (entry ${quoteBytes(path)})`, hint);
}
