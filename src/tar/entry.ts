import type { ByteString } from '../bytes/byte-string.js';
import { roundUp } from '../bytes/integer.js';
import { findDifferences, NO_DIFFERENCES } from './differences.js';
import { ENTRY_TYPE, isHeaderOnly } from './entry-type.js';
import { type Extensions, NO_EXTENSIONS } from './extensions.js';
import {
  type HeaderStart,
  hasHeaderPath,
  readHeaderPath,
  readLinkName,
  TAR_BLOCK_SIZE,
  type TarDifference,
  type TarFormat,
  type TarRules,
} from './header.js';
import { type EntryMetadata, readMetadata } from './metadata.js';
import type { SparseFile } from './sparse.js';
import { ParseFailure } from './tar-error.js';

/** An entry: its header and the extension headers before it. */
export interface ParsedEntry {
  /** The header block; may be borrowed from the caller of the parser. */
  readonly block: Buffer;
  readonly format: TarFormat;
  /** That of the header, but for sparse files, which are regular, and for old directories. */
  readonly type: number;
  /** Bytes of data that follow, without padding. */
  readonly size: number;
  readonly metadata: EntryMetadata;
  readonly extensions: Extensions;
  /** How the data are spread over a file with holes. */
  readonly sparse: SparseFile | undefined;
  readonly differences: readonly TarDifference[];
}

type NamedEntry = Pick<ParsedEntry, 'block' | 'format' | 'extensions'>;

/**
 * Puts header and extension headers together (spec 30 §5.5).
 *
 * @throws ParseFailure
 */
export function makeEntry(block: Buffer, start: HeaderStart, extensions: Extensions, rules: TarRules): ParsedEntry {
  const { format } = start;
  const named = { block, format, extensions };
  const isNamed = extensions === NO_EXTENSIONS && hasHeaderPath(block, format);
  if (!isNamed && entryPath(named) === '') throw new ParseFailure('entry has empty path');
  const { pax } = extensions;
  const size = pax?.size ?? start.size;
  const type = rules === 'standard' && isOldDirectory(start.type, named) ? ENTRY_TYPE.DIRECTORY : start.type;
  return {
    block,
    format,
    type,
    size: rules === 'standard' && isHeaderOnly(type) ? 0 : checkSize(size),
    metadata: readMetadata(block, type, format, pax),
    extensions,
    sparse: undefined,
    differences: rules === 'reference' ? NO_DIFFERENCES : findDifferences(block, start, type, size, extensions),
  };
}

/** The path as the tar has it: not empty, otherwise any bytes. */
export function entryPath({ block, format, extensions }: NamedEntry): ByteString {
  const { pax, longName } = extensions;
  return pax?.sparseName ?? pax?.path ?? longName ?? readHeaderPath(block, format);
}

/** The target of a hard link or symlink; undefined where there is none. */
export function entryLinkTarget({ block, extensions }: NamedEntry): ByteString | undefined {
  const { pax, longLink } = extensions;
  const target = pax?.linkPath ?? longLink ?? readLinkName(block);
  return target === '' ? undefined : target;
}

/** Before there was a type for directories they were files whose names end in a slash. */
function isOldDirectory(type: number, entry: NamedEntry): boolean {
  return type === ENTRY_TYPE.REGULAR_OLD && entryPath(entry).endsWith('/');
}

/** A size that stays exact when rounded up to whole blocks. */
function checkSize(size: number | bigint): number {
  if (size < 0) throw new ParseFailure(`invalid entry size: ${size}`);
  if (typeof size === 'bigint' || !Number.isSafeInteger(roundUp(size, TAR_BLOCK_SIZE))) {
    throw new ParseFailure(`invalid entry size: ${size} is beyond the supported range of 2^53 - 1`);
  }
  return size;
}
