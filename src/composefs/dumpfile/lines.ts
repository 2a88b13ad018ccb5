import { type ByteString, byteStringFrom, sliceBytes } from '../../bytes/byte-string.js';

/** Text is decoded in pieces of about this many bytes: strings have a maximum length, dumpfiles do not. */
const PIECE_SIZE = 8 * 1024 * 1024;

export interface PieceOptions {
  /** Called before the last line is given, if no LF ends it. */
  readonly onUnterminated?: () => void;
  /** Called before more is collected of a line that is this long already. */
  readonly limit?: { readonly length: number; readonly onExceeded: () => void };
}

/** The lines of a text, without their LF. No line follows a final LF. */
export function dumpLines(bytes: Uint8Array): Generator<ByteString> {
  return dumpLinesOfPieces(piecesOf(bytes));
}

/** {@link dumpLines} of a text that comes in pieces. */
export function* dumpLinesOfPieces(pieces: Iterable<Uint8Array>, options: PieceOptions = {}): Generator<ByteString> {
  const { limit, onUnterminated } = options;
  /** The beginning of a line whose end is in a later piece. */
  let begun = '';
  for (const piece of pieces) {
    const text = byteStringFrom(piece);
    let start = 0;
    for (let newline = text.indexOf('\n'); newline >= 0; newline = text.indexOf('\n', start)) {
      const line = text.slice(start, newline);
      yield (begun === '' ? line : begun + line) as ByteString;
      begun = '';
      start = newline + 1;
    }
    begun += text.slice(start);
    if (limit !== undefined && begun.length > limit.length) limit.onExceeded();
  }
  if (begun === '') return;
  onUnterminated?.();
  yield begun as ByteString;
}

/** A text in pieces that can be decoded. */
export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += PIECE_SIZE) yield bytes.subarray(start, start + PIECE_SIZE);
}

/** Takes the space-separated fields off a line, one after the other. Consecutive spaces enclose an empty field. */
export class LineFields {
  readonly #line: ByteString;
  /** Start of the next field; beyond the line's length after the last one. */
  #position = 0;

  constructor(line: ByteString) {
    this.#line = line;
  }

  /** Undefined after the last field. */
  next(): ByteString | undefined {
    if (this.#position > this.#line.length) return undefined;
    const space = this.#line.indexOf(' ', this.#position);
    const end = space < 0 ? this.#line.length : space;
    const field = sliceBytes(this.#line, this.#position, end);
    this.#position = end + 1;
    return field;
  }

  /** All that follows the space that ended the last field; undefined after the last field. */
  rest(): ByteString | undefined {
    return this.#position > this.#line.length ? undefined : sliceBytes(this.#line, this.#position);
  }
}
