import { type ByteString, byteStringFrom } from '../bytes/byte-string.js';
import { roundUp } from '../bytes/integer.js';
import { ENTRY_TYPE } from './entry-type.js';
import {
  BLOCK_SIZE,
  ChecksumError,
  type HeaderMetadata,
  type HeaderStart,
  hasHeaderPath,
  readHeaderMetadata,
  readHeaderPath,
  readHeaderStart,
  readLinkName,
  sumBlock,
  type TarFormat,
} from './header.js';
import { InvalidOctalError } from './numbers.js';
import { PaxError, type PaxRecords, parsePaxRecords } from './pax.js';
import { TarError } from './tar-error.js';

/** The most bytes that the extension headers of one entry may have together, and a global header alone. */
export const MAX_METADATA_SIZE = 1048576;

/** An entry: its header and the extension headers before it. */
export interface ParsedEntry {
  /** The header block; borrowed from the caller of the parser. */
  readonly block: Buffer;
  readonly format: TarFormat;
  readonly type: number;
  /** Bytes of data, without padding. Every type may have data. */
  readonly size: number;
  readonly metadata: HeaderMetadata;
  readonly extensions: Extensions;
}

export interface Extensions {
  readonly pax?: PaxRecords;
  readonly longName?: ByteString;
  readonly longLink?: ByteString;
}

/**
 * What a header block was.
 *
 * - `more`: nothing yet, go on with the next block.
 * - `extension`: hand the next `size` bytes to {@link TarParser.extensionData}, skip their padding, go on.
 * - `global`: skip `size` bytes and their padding; no extension header before it counts for a later entry.
 * - `sparse`: an entry that is not supported.
 * - `end`: this block and the one before it are the end of the archive.
 */
export type ParserStep =
  | { readonly type: 'more' }
  | { readonly type: 'extension'; readonly size: number }
  | { readonly type: 'global'; readonly size: number }
  | { readonly type: 'entry'; readonly entry: ParsedEntry }
  | { readonly type: 'sparse' }
  | { readonly type: 'end' };

const MORE: ParserStep = { type: 'more' };
const SPARSE: ParserStep = { type: 'sparse' };
const END: ParserStep = { type: 'end' };
const NO_EXTENSIONS: Extensions = {};

/** The block-level state machine (spec 30 §5.2 to §5.5). It sees headers and the data of extensions, nothing else. */
export class TarParser {
  #afterZeroBlock = false;
  /** Raw data of the extension headers since the last entry. */
  readonly #pending = new Map<ExtensionType, Buffer>();
  #pendingSize = 0;
  #expected: ExtensionType | undefined;

  /**
   * @param block - 512 bytes
   * @param offset - where the block lies in the tar, for messages
   * @throws TarError
   */
  header(block: Buffer, offset: number): ParserStep {
    try {
      return this.#header(block);
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
    const start = readHeaderStart(block, sum);
    if (typeof start.size === 'bigint' && start.size > U64_BLOCKS)
      throw new ParseFailure(`invalid entry size: ${start.size}`);
    if (start.type === ENTRY_TYPE.PAX_GLOBAL) {
      this.#clear();
      return { type: 'global', size: checkMetadataSize(start.size) };
    }
    if (start.format !== 'v7') {
      if (isExtensionType(start.type)) return this.#extension(start.type, start.size);
      if (start.type === ENTRY_TYPE.GNU_SPARSE) {
        if (start.format === 'gnu') return SPARSE;
        throw new ParseFailure('sparse entry type but header is not GNU format');
      }
    }
    return this.#entry(block, start);
  }

  #zeroBlock(): ParserStep {
    if (!this.#afterZeroBlock) {
      this.#afterZeroBlock = true;
      return MORE;
    }
    if (this.#pending.size > 0) throw new ParseFailure('metadata entries without a following actual entry');
    return END;
  }

  #extension(type: ExtensionType, size: number | bigint): ParserStep {
    if (this.#pending.has(type)) throw new ParseFailure(DUPLICATE[type]);
    const sum = typeof size === 'number' ? this.#pendingSize + size : BigInt(this.#pendingSize) + size;
    this.#pendingSize = checkMetadataSize(sum);
    this.#expected = type;
    return { type: 'extension', size: Number(size) };
  }

  #entry(block: Buffer, { format, type, size: headerSize }: HeaderStart): ParserStep {
    const extensions = this.#pending.size === 0 ? NO_EXTENSIONS : this.#parseExtensions();
    this.#clear();
    if (extensions.pax?.isSparse === true) return SPARSE;
    const metadata = readHeaderMetadata(block, format);
    const size = checkSize(extensions.pax?.size ?? headerSize);
    const isNamed = extensions === NO_EXTENSIONS && hasHeaderPath(block, format);
    const entry = { block, format, type, size, metadata, extensions };
    if (!isNamed && entryPath(entry) === '') throw new ParseFailure('entry has empty path');
    return { type: 'entry', entry };
  }

  #parseExtensions(): Extensions {
    const pax = this.#pending.get(ENTRY_TYPE.PAX_EXTENDED);
    const longName = this.#pending.get(ENTRY_TYPE.GNU_LONG_NAME);
    const longLink = this.#pending.get(ENTRY_TYPE.GNU_LONG_LINK);
    return {
      ...(pax !== undefined && { pax: parsePaxRecords(pax) }),
      ...(longName !== undefined && { longName: withoutFinalNul(longName) }),
      ...(longLink !== undefined && { longLink: withoutFinalNul(longLink) }),
    };
  }

  #clear(): void {
    this.#pending.clear();
    this.#pendingSize = 0;
  }
}

/** The path as the tar has it: not empty, otherwise any bytes. */
export function entryPath({ block, format, extensions }: ParsedEntry): ByteString {
  return extensions.pax?.sparseName ?? extensions.pax?.path ?? extensions.longName ?? readHeaderPath(block, format);
}

/** The target of a hard link or symlink; undefined where there is none. */
export function entryLinkTarget({ block, extensions }: ParsedEntry): ByteString | undefined {
  const target = extensions.pax?.linkPath ?? extensions.longLink ?? readLinkName(block);
  return target === '' ? undefined : target;
}

type ExtensionType = typeof ENTRY_TYPE.GNU_LONG_NAME | typeof ENTRY_TYPE.GNU_LONG_LINK | typeof ENTRY_TYPE.PAX_EXTENDED;

const DUPLICATE: Readonly<Record<ExtensionType, string>> = {
  [ENTRY_TYPE.GNU_LONG_NAME]: 'duplicate GNU long name entry',
  [ENTRY_TYPE.GNU_LONG_LINK]: 'duplicate GNU long link entry',
  [ENTRY_TYPE.PAX_EXTENDED]: 'duplicate PAX extended header',
};

function isExtensionType(type: number): type is ExtensionType {
  return type === ENTRY_TYPE.GNU_LONG_NAME || type === ENTRY_TYPE.GNU_LONG_LINK || type === ENTRY_TYPE.PAX_EXTENDED;
}

/** Sizes above this do not fit 64 bits once rounded up to whole blocks. */
const U64_BLOCKS = 2n ** 64n - 512n;

/** A message that {@link located} completes. */
class ParseFailure extends Error {}

function located(error: unknown, offset: number): unknown {
  if (error instanceof ParseFailure || error instanceof PaxError) return new TarError(error.message, offset);
  if (error instanceof InvalidOctalError || error instanceof ChecksumError) {
    return new TarError(`header error: ${error.message}`, offset);
  }
  return error;
}

function checkMetadataSize(size: number | bigint): number {
  if (size > MAX_METADATA_SIZE) {
    throw new ParseFailure(`metadata exceeds limit: ${size} bytes > ${MAX_METADATA_SIZE} bytes`);
  }
  return Number(size);
}

/** A size that stays exact when rounded up to whole blocks. */
function checkSize(size: number | bigint): number {
  if (typeof size === 'bigint' || !Number.isSafeInteger(roundUp(size, BLOCK_SIZE))) {
    throw new ParseFailure(`invalid entry size: ${size} is beyond the supported range of 2^53 - 1`);
  }
  return size;
}

function withoutFinalNul(data: Buffer): ByteString {
  return byteStringFrom(data[data.length - 1] === 0 ? data.subarray(0, -1) : data);
}
