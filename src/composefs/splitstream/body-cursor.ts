import { ZstdDecoder } from '../../compression/zstd/decode.js';
import { SplitStreamError } from './format.js';
import { readSectionPieces, type Section, type SplitStreamSource } from './source.js';

const NOTHING = Buffer.alloc(0);

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
  /** The error of the first read that failed; every later one fails with it too, instead of seeing an early end. */
  #failure: { readonly error: unknown } | undefined;

  constructor(pieces: Generator<Buffer>) {
    this.#pieces = pieces;
  }

  /** Between 1 and `limit` bytes; none at the end of the data. */
  readSome(limit: number): Buffer {
    if (this.#failure !== undefined) throw this.#failure.error;
    while (this.#current.length === 0) {
      const next = this.#nextPiece();
      if (next === undefined) return NOTHING;
      this.#current = next;
    }
    const data = this.#current.subarray(0, limit);
    this.#current = this.#current.subarray(data.length);
    return data;
  }

  /** Passes over up to `limit` bytes; returns how many there were, 0 at the end of the data. */
  skipSome(limit: number): number {
    if (this.#current.length <= limit) return this.readSome(limit).length;
    this.#current = this.#current.subarray(limit);
    return limit;
  }

  /** `length` bytes, or fewer at the end of the data. Allocates no more than the data that is really there. */
  read(length: number): Buffer {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const part = this.readSome(missing);
      if (part.length === 0) break;
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? (parts[0] ?? NOTHING) : Buffer.concat(parts);
  }

  close(): void {
    this.#failure ??= { error: new SplitStreamError('The splitstream reader is closed') };
    this.#current = NOTHING;
    this.#pieces.return(undefined);
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
