import { byteRegion } from '../../bytes/byte-region.js';
import { getInt64 } from '../../bytes/int64.js';
import { ZstdDecoder } from '../../compression/zstd/decode.js';
import { SplitStreamError, unexpectedEof } from './format.js';
import { readSectionPieces, type Section, type SplitStreamSource } from './source.js';

const NOTHING = Buffer.alloc(0);
const { view: NO_VIEW } = byteRegion(NOTHING);

const INT64_SIZE = 8;

/** The decompressed bytes of a section, in pieces of at most 128 KiB. */
export function* decodeSection(source: SplitStreamSource, section: Section): Generator<Buffer> {
  const decoder = new ZstdDecoder();
  try {
    for (const piece of readSectionPieces(source, section)) yield* decoder.push(piece);
    decoder.finish();
  } finally {
    decoder.close();
  }
}

/** Reads decompressed bytes one after the other. Decodes only as far as asked for. */
export class BodyCursor {
  readonly #pieces: Generator<Buffer>;
  #current: Buffer = NOTHING;
  #view: DataView = NO_VIEW;
  /** How much of it is read: a view of the rest for each read would be as many objects again. */
  #position = 0;
  /** The error of the first read that failed; every later one fails with it too, instead of seeing an early end. */
  #failure: { readonly error: unknown } | undefined;
  #isClosed = false;

  constructor(pieces: Generator<Buffer>) {
    this.#pieces = pieces;
  }

  /** Between 1 and `limit` bytes; none at the end of the data. */
  readSome(limit: number): Buffer {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isClosed) throw new SplitStreamError('The splitstream reader is closed');
    while (this.#position === this.#current.length) {
      const next = this.#nextPiece();
      if (next === undefined) return NOTHING;
      this.#setCurrent(next);
    }
    const start = this.#position;
    this.#position = Math.min(start + limit, this.#current.length);
    return this.#current.subarray(start, this.#position);
  }

  /** Passes over up to `limit` bytes; returns how many there were, 0 at the end of the data. */
  skipSome(limit: number): number {
    if (this.#current.length - this.#position <= limit) return this.readSome(limit).length;
    this.#position += limit;
    return limit;
  }

  /** `length` bytes, or fewer at the end of the data. Allocates no more than the data that is really there. */
  read(length: number): Buffer {
    if (length <= this.#current.length - this.#position) return this.readSome(length);
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const part = this.readSome(missing);
      if (part.length === 0) break;
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? (parts[0] ?? NOTHING) : Buffer.concat(parts);
  }

  /**
   * The signed number of the next 8 bytes; undefined at the end of the data. Exact up to 2^53.
   *
   * @throws SplitStreamError if there are fewer bytes.
   */
  readInt64(): number | undefined {
    const start = this.#position;
    if (INT64_SIZE <= this.#current.length - start) {
      this.#position += INT64_SIZE;
      return getInt64(this.#view, start);
    }
    const bytes = this.read(INT64_SIZE);
    if (bytes.length === 0) return undefined;
    if (bytes.length < INT64_SIZE) throw unexpectedEof();
    return getInt64(byteRegion(bytes).view, 0);
  }

  close(): void {
    this.#isClosed = true;
    this.#setCurrent(NOTHING);
    this.#pieces.return(undefined);
  }

  #setCurrent(piece: Buffer): void {
    this.#current = piece;
    this.#view = byteRegion(piece).view;
    this.#position = 0;
  }

  #nextPiece(): Buffer | undefined {
    try {
      const next = this.#pieces.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}
