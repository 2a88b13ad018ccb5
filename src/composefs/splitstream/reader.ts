import { safeInteger } from '../../bytes/integer.js';
import { withContext } from '../../errors.js';
import type { Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { BodyCursor, decodeSection } from './body-cursor.js';
import {
  type DetachedRef,
  HEADER_SIZE,
  INFO_SIZE,
  LONG_INFO_SIZE,
  parseHeader,
  parseInfo,
  SplitStreamError,
  unexpectedEof,
} from './format.js';
import { NO_NAMED_REFS, parseNamedRefs } from './named-refs.js';
import { RefTable } from './ref-table.js';
import { checkRange, readSection, type Section, type SplitStreamSource } from './source.js';

/** A part of the stream. A long inline chunk comes in several parts. */
export type SplitStreamData =
  | { readonly type: 'inline'; readonly data: Buffer }
  | { readonly type: 'external'; readonly id: ObjectId };

/** Decompressed size of the named refs; a manifest with 10,000 layers needs less than 1 MiB. */
const MAX_NAMED_REFS_SIZE = 64 * 1024 * 1024;
const CHUNKS_A_STEP = 256;

/** What the caller of {@link SplitStreamReader} can take. */
interface Wanted {
  readonly eofAllowed: boolean;
  readonly externalAllowed: boolean;
  readonly expected: number;
}

const INLINE = { type: 'inline' } as const;

interface ReaderParts {
  readonly source: SplitStreamSource;
  readonly contentType: bigint;
  readonly totalSize: number;
  readonly objectRefs: RefTable;
  readonly namedRefs: ReadonlyMap<string, ObjectId>;
  readonly detachedRefs: readonly DetachedRef[];
  readonly stream: Section;
}

/**
 * Reads a splitstream file (spec 30 §4). Header and refs are read when it is opened, the stream itself is decompressed
 * as it is read, once and from the start to the end.
 *
 * The reader checks no digest: that is up to whoever opens the file.
 */
export class SplitStreamReader {
  readonly contentType: bigint;
  /** Size of the reassembled stream as the file declares it, in bytes. */
  readonly totalSize: number;
  /** @internal Objects that belong to the stream and are no part of it, in the order of the file. */
  readonly detachedRefs: readonly DetachedRef[];
  readonly #source: SplitStreamSource;
  readonly #objectRefs: RefTable;
  readonly #namedRefs: ReadonlyMap<string, ObjectId>;
  readonly #body: BodyCursor;
  /** Unread bytes of the current inline chunk. */
  #remaining = 0;
  #allObjectRefs: readonly ObjectId[] | undefined;
  #closed = false;

  private constructor(parts: ReaderParts) {
    this.contentType = parts.contentType;
    this.totalSize = parts.totalSize;
    this.detachedRefs = parts.detachedRefs;
    this.#source = parts.source;
    this.#objectRefs = parts.objectRefs;
    this.#namedRefs = parts.namedRefs;
    this.#body = new BodyCursor(decodeSection(parts.source, parts.stream));
  }

  /**
   * @internal
   * Opens a file of either header layout. The reader owns `source` from then on; if this fails the source is closed.
   *
   * @param options.contentType that the file has to have.
   * @throws SplitStreamError below the context `Creating new splitstream reader`.
   */
  static open(
    source: SplitStreamSource,
    algorithm: HashAlgorithm,
    { contentType }: { readonly contentType?: bigint | undefined } = {},
  ): SplitStreamReader {
    try {
      return withContext(
        'Creating new splitstream reader',
        () => new SplitStreamReader(readParts(source, algorithm, contentType)),
      );
    } catch (error) {
      source.close?.();
      throw error;
    }
  }

  /** All objects that the file lists, in its order. */
  get objectRefs(): readonly ObjectId[] {
    this.#allObjectRefs ??= this.#objectRefs.toArray();
    return this.#allObjectRefs;
  }

  /** @internal The digests of {@link objectRefs}, one after the other: a view. */
  get objectRefBytes(): Buffer {
    return this.#objectRefs.bytes;
  }

  /** The object that the stream names by this number; undefined if it lists fewer. */
  lookupExternalRef(index: number): ObjectId | undefined {
    return this.#objectRefs.get(index);
  }

  /** The stream or image that the stream links under this name. */
  lookupNamedRef(name: string): ObjectId | undefined {
    return this.#namedRefs.get(name);
  }

  /** What the stream links by names: of a config the layers and EROFS images, of a manifest the config. */
  namedRefs(): ReadonlyMap<string, ObjectId> {
    return this.#namedRefs;
  }

  /** The rest of the stream, objects not resolved (context `Walking splitstream chunks`). */
  *chunks(): Generator<SplitStreamData> {
    for (;;) {
      const chunk = withContext('Walking splitstream chunks', () => this.nextChunk());
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** The next part of the stream; undefined at its end. */
  nextChunk(): SplitStreamData | undefined {
    const next = this.#ensure({ eofAllowed: true, externalAllowed: true, expected: 0 });
    if (next === undefined || next.type === 'external') return next;
    return { type: 'inline', data: this.#takeSome(this.#remaining) };
  }

  /** Exactly `length` inline bytes, which lie within one chunk; undefined at the end of the stream. */
  readInlineExact(length: number): Buffer | undefined {
    const next = this.#ensure({ eofAllowed: true, externalAllowed: false, expected: length });
    return next === undefined ? undefined : this.#take(length);
  }

  /** Up to `length` inline bytes, fewer only at the end of a chunk; undefined at the end of the stream. */
  readInline(length: number): Buffer | undefined {
    const next = this.#ensure({ eofAllowed: true, externalAllowed: false, expected: 0 });
    return next === undefined ? undefined : this.#take(Math.min(length, this.#remaining));
  }

  /**
   * Content of `actual` bytes that takes `stored` bytes with its padding: either an object followed by inline padding,
   * which is dropped, or inline. At the end of the stream padding may be missing.
   */
  readExact(actual: number, stored: number): SplitStreamData {
    if (stored === 0) return { type: 'inline', data: Buffer.alloc(0) };
    const next = this.#ensure({ eofAllowed: false, externalAllowed: true, expected: actual });
    // A copy: callers keep small contents for long, and a view would keep a whole decompressed piece with it.
    const content =
      next?.type === 'external' ? next : { type: 'inline' as const, data: Buffer.from(this.#take(actual)) };
    this.#dropPadding(stored - actual);
    return content;
  }

  #dropPadding(length: number): void {
    const padding = length === 0 ? undefined : this.readInline(length);
    if (padding === undefined || padding.length === length) return;
    if (this.nextChunk() !== undefined) throw smallInline();
  }

  /** The rest of a stream that has no external parts, in pieces. */
  *inlineData(): Generator<Buffer> {
    while (this.#ensure({ eofAllowed: true, externalAllowed: false, expected: 1 }) !== undefined) {
      yield this.#takeSome(this.#remaining);
    }
  }

  /**
   * @internal
   * How many bytes of a stream that was not read yet are inline, and how often it uses each object, by its index in
   * {@link objectRefs}. Reads the stream to its end; takes a fraction of the time of {@link nextChunk}.
   */
  *tallySteps(): Steps<{ readonly inlineSize: number; readonly uses: Uint32Array }> {
    const uses = new Uint32Array(this.#objectRefs.length);
    let inlineSize = 0;
    for (let count = 1; ; count++) {
      if (count % CHUNKS_A_STEP === 0) yield;
      const value = this.#body.readInt64();
      if (value === undefined) return { inlineSize, uses };
      if (value >= 0) {
        if (value >= uses.length) throw new SplitStreamError('Splitstream external reference is out of range');
        uses[value] = (uses[value] ?? 0) + 1;
      } else inlineSize += this.#skip(-value);
    }
  }

  /** Closes the source as well. May be called more than once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#body.close();
    this.#source.close?.();
  }

  /**
   * The state machine of spec 30 §4.3: makes sure that the next thing is what the caller can take. Reads a chunk header
   * at a chunk boundary, even if `expected` is 0.
   */
  #ensure(wanted: Wanted): { type: 'inline' } | { type: 'external'; id: ObjectId } | undefined {
    if (this.#remaining === 0) {
      const value = this.#body.readInt64();
      if (value === undefined) {
        if (wanted.eofAllowed) return undefined;
        throw unexpectedEof();
      }
      if (value >= 0) {
        if (!wanted.externalAllowed) throw new SplitStreamError('Unexpected external reference in splitstream');
        const id = this.#objectRefs.get(value);
        if (id === undefined) throw new SplitStreamError('Splitstream external reference is out of range');
        return { type: 'external', id };
      }
      // No file delivers 2^53 bytes: a chunk that claims more ends with an unexpected end of file just the same.
      this.#remaining = Math.min(-value, Number.MAX_SAFE_INTEGER);
    }
    if (this.#remaining < wanted.expected) throw smallInline();
    return INLINE;
  }

  #takeSome(limit: number): Buffer {
    const data = this.#body.readSome(limit);
    if (data.length === 0) throw unexpectedEof();
    this.#remaining -= data.length;
    return data;
  }

  #skip(length: number): number {
    for (let missing = length; missing > 0; ) {
      const skipped = this.#body.skipSome(missing);
      if (skipped === 0) throw unexpectedEof();
      missing -= skipped;
    }
    return length;
  }

  #take(length: number): Buffer {
    const data = this.#body.read(length);
    if (data.length < length) throw unexpectedEof();
    this.#remaining -= length;
    return data;
  }
}

function readParts(source: SplitStreamSource, algorithm: HashAlgorithm, expected: bigint | undefined): ReaderParts {
  const header = withContext('Error reading splitstream header', () =>
    readSection(source, checkRange(source, { start: 0n, end: BigInt(HEADER_SIZE) })),
  );
  const infoRange = checkRange(source, parseHeader(header, algorithm));
  if (infoRange.end - infoRange.start < INFO_SIZE) {
    const length = infoRange.end - infoRange.start;
    throw new SplitStreamError(`Error reading splitstream metadata: ${length} bytes are too few`);
  }
  const infoEnd = Math.min(infoRange.end, infoRange.start + LONG_INFO_SIZE);
  const info = parseInfo(readSection(source, { start: infoRange.start, end: infoEnd }));
  if (expected !== undefined && info.contentType !== expected) {
    throw new SplitStreamError('Invalid splitstream content type');
  }
  const readRefs = (range: { start: bigint; end: bigint }): RefTable =>
    new RefTable(readSection(source, checkRange(source, range)), algorithm);
  const streamRefs = withContext('Error reading splitstream references', () => readRefs(info.streamRefs));
  const objectRefs = withContext('Error reading object references', () => readRefs(info.objectRefs));
  const namedRefs = withContext('Error reading splitstream mappings', () =>
    parseNamedRefs(readNamedRefs(source, checkRange(source, info.namedRefs)), streamRefs),
  );
  const detachedRefs = withContext('Error reading detached references', () =>
    info.detachedRefs === undefined
      ? []
      : parseDetachedRefs(readSection(source, checkRange(source, info.detachedRefs)), objectRefs),
  );
  return {
    source,
    detachedRefs,
    contentType: info.contentType,
    totalSize: safeInteger(info.streamSize, 'splitstream size'),
    objectRefs,
    namedRefs,
    stream: checkRange(source, info.stream),
  };
}

function parseDetachedRefs(bytes: Buffer, objectRefs: RefTable): DetachedRef[] {
  const refs: DetachedRef[] = [];
  for (let position = 0; position < bytes.length; position += 16) {
    const isWhole = position + 16 <= bytes.length;
    const id = isWhole ? objectRefs.get(Number(bytes.readBigUInt64LE(position))) : undefined;
    if (id === undefined) throw new SplitStreamError('Splitstream detached reference is out of range');
    refs.push({ id, size: safeInteger(bytes.readBigUInt64LE(position + 8), 'size of a detached object') });
  }
  return refs;
}

function readNamedRefs(source: SplitStreamSource, section: Section): Buffer {
  if (section.end - section.start === NO_NAMED_REFS.length && readSection(source, section).equals(NO_NAMED_REFS)) {
    return Buffer.alloc(0);
  }
  const pieces: Buffer[] = [];
  let size = 0;
  for (const piece of decodeSection(source, section)) {
    size += piece.length;
    if (size > MAX_NAMED_REFS_SIZE) throw new SplitStreamError('Named references section is too large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function smallInline(): SplitStreamError {
  return new SplitStreamError('Unexpectedly small inline content when parsing splitstream');
}
