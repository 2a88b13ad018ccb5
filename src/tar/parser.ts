import { hideNumbers } from './differences.js';
import { makeEntry, type ParsedEntry } from './entry.js';
import { ENTRY_TYPE, entryTypeName, hasFileContent } from './entry-type.js';
import { type Extensions, type ExtensionType, isExtensionType, NO_EXTENSIONS, parseExtensions } from './extensions.js';
import { readHeaderStart, sumBlock, TAR_BLOCK_SIZE, type TarRules } from './header.js';
import { readNumeric } from './numbers.js';
import {
  checkSparseFile,
  GnuMapReader,
  invalidMap,
  PaxMapReader,
  type SparseFile,
  type SparseMapReader,
} from './sparse.js';
import { HeaderFailure, ParseFailure, TarError } from './tar-error.js';

/**
 * The most bytes that the extension headers of one entry may have together, and each of a global header and the map of
 * a sparse file alone.
 */
const MAX_HEADERS_SIZE = 1048576;

/**
 * What a block was.
 *
 * - `more`: nothing yet, go on with the next block.
 * - `extension`: hand the next `size` bytes to {@link TarParser.extensionData}, skip their padding, go on.
 * - `global`: skip `size` bytes and their padding; no extension header before it counts for a later entry.
 * - `end`: this block and the one before it are the end of the archive.
 */
export type ParserStep =
  | { readonly type: 'more' }
  | { readonly type: 'extension'; readonly size: number }
  | { readonly type: 'global'; readonly size: number }
  | { readonly type: 'entry'; readonly entry: ParsedEntry }
  | { readonly type: 'end' };

const MORE: ParserStep = { type: 'more' };
const END: ParserStep = { type: 'end' };

/** A sparse file whose map is not complete. */
interface UnfinishedEntry {
  readonly entry: ParsedEntry;
  readonly fileSize: number;
  readonly map: SparseMapReader;
  /** Bytes of the map so far. */
  readonly mapSize: number;
  /** Whether they belong to the entry's data. */
  readonly isInData: boolean;
}

/**
 * The block-level state machine (spec 30 §5.2 to §5.5). It sees headers, the data of extension headers and the maps of
 * sparse files, nothing else.
 */
export class TarParser {
  readonly #rules: TarRules;
  #afterZeroBlock = false;
  /** Raw data of the extension headers since the last entry. */
  readonly #pending = new Map<ExtensionType, Buffer>();
  #expected: ExtensionType | undefined;
  #unfinished: UnfinishedEntry | undefined;

  constructor(rules: TarRules = 'standard') {
    this.#rules = rules;
  }

  /** Whether blocks of a map are missing, so that the archive cannot end here. */
  get isInMap(): boolean {
    return this.#unfinished !== undefined;
  }

  /**
   * @param block - 512 bytes
   * @param offset - where the block lies in the tar, for messages
   * @throws TarError
   */
  header(block: Buffer, offset: number): ParserStep {
    try {
      return this.#unfinished === undefined ? this.#header(block) : this.#mapBlock(this.#unfinished, block);
    } catch (error) {
      throw located(error, offset);
    }
  }

  /** Takes the data asked for by an `extension` step. */
  extensionData(data: Buffer): void {
    // A copy, because the entry may come long after the caller has reused its buffer.
    if (this.#expected !== undefined) this.#pending.set(this.#expected, Buffer.from(data));
    this.#expected = undefined;
  }

  #header(block: Buffer): ParserStep {
    const sum = sumBlock(block);
    if (sum === 0) return this.#zeroBlock();
    this.#afterZeroBlock = false;
    const start = readHeaderStart(block, sum, this.#rules);
    const { type, format, size } = start;
    if (type === ENTRY_TYPE.PAX_GLOBAL) {
      this.#pending.clear();
      return { type: 'global', size: checkMetadataSize(size) };
    }
    if (isExtensionType(type) && (format !== 'v7' || this.#rules === 'standard')) return this.#extension(type, size);
    if (type === ENTRY_TYPE.GNU_SPARSE && format !== 'gnu' && format !== 'old-go') {
      throw new ParseFailure('sparse entry type but header is not GNU format');
    }
    if (this.#rules === 'standard') return this.#withMap(makeEntry(block, start, this.#takeExtensions(), 'standard'));
    const hidden = hideNumbers(block);
    const hiddenStart = { ...start, size: readNumeric(hidden, 124, 136) };
    return this.#withMap(makeEntry(hidden, hiddenStart, this.#takeExtensions(), 'reference'));
  }

  #zeroBlock(): ParserStep {
    if (this.#afterZeroBlock) return END;
    this.#afterZeroBlock = true;
    return MORE;
  }

  /** Of several of one kind the last counts. */
  #extension(type: ExtensionType, size: number | bigint): ParserStep {
    this.#pending.delete(type);
    let others = 0;
    for (const data of this.#pending.values()) others += data.length;
    this.#expected = type;
    return { type: 'extension', size: checkMetadataSize(size, others) };
  }

  #takeExtensions(): Extensions {
    if (this.#pending.size === 0) return NO_EXTENSIONS;
    const extensions = parseExtensions(this.#pending, this.#rules);
    this.#pending.clear();
    return extensions;
  }

  /** The entry, or the beginning of one whose map follows. */
  #withMap(entry: ParsedEntry): ParserStep {
    const { block, type, extensions } = entry;
    if (type === ENTRY_TYPE.GNU_SPARSE) {
      const map = new GnuMapReader();
      const isComplete = map.addHeader(block);
      const fileSize = checkFileSize(readNumeric(block, 483, 495));
      const regular = { ...entry, type: ENTRY_TYPE.REGULAR };
      return this.#mapStep({ entry: regular, fileSize, map, mapSize: 0, isInData: false }, isComplete);
    }
    const sparse = extensions.pax?.sparse;
    if (sparse === undefined) return { type: 'entry', entry };
    if (!hasFileContent(type)) throw new ParseFailure(`sparse entry of type ${entryTypeName(type)}`);
    const fileSize = checkFileSize(sparse.size ?? entry.size);
    if (sparse.regions !== undefined) return completeSparse(entry, { size: fileSize, regions: sparse.regions });
    return this.#mapStep({ entry, fileSize, map: new PaxMapReader(), mapSize: 0, isInData: true }, false);
  }

  #mapBlock(unfinished: UnfinishedEntry, block: Buffer): ParserStep {
    const isComplete = unfinished.map.add(block);
    return this.#mapStep({ ...unfinished, mapSize: unfinished.mapSize + TAR_BLOCK_SIZE }, isComplete);
  }

  #mapStep(unfinished: UnfinishedEntry, isComplete: boolean): ParserStep {
    const { entry, fileSize, map, mapSize, isInData } = unfinished;
    checkMetadataSize(mapSize);
    const size = isInData ? entry.size - mapSize : entry.size;
    if (isInData && size < (isComplete ? 0 : TAR_BLOCK_SIZE)) {
      throw invalidMap(`it is longer than the ${entry.size} bytes of data`);
    }
    if (isComplete) {
      this.#unfinished = undefined;
      return completeSparse({ ...entry, size }, { size: fileSize, regions: map.regions });
    }
    // The caller is going to reuse the block of the header.
    const kept = mapSize === 0 ? { ...entry, block: Buffer.from(entry.block) } : entry;
    this.#unfinished = { ...unfinished, entry: kept };
    return MORE;
  }
}

function completeSparse(entry: ParsedEntry, sparse: SparseFile): ParserStep {
  checkSparseFile(sparse, entry.size);
  return { type: 'entry', entry: { ...entry, sparse } };
}

function located(error: unknown, offset: number): unknown {
  if (!(error instanceof ParseFailure)) return error;
  return new TarError(error instanceof HeaderFailure ? `header error: ${error.message}` : error.message, offset);
}

function checkMetadataSize(size: number | bigint, others = 0): number {
  if (size < 0) throw new ParseFailure(`invalid entry size: ${size}`);
  const sum = typeof size === 'number' ? size + others : size + BigInt(others);
  if (sum > MAX_HEADERS_SIZE) {
    throw new ParseFailure(`metadata exceeds limit: ${sum} bytes > ${MAX_HEADERS_SIZE} bytes`);
  }
  return Number(size);
}

function checkFileSize(size: number | bigint): number {
  if (typeof size === 'number' && size >= 0) return size;
  throw new ParseFailure(`invalid size of a sparse file: ${size}`);
}
