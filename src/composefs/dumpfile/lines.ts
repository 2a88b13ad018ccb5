import { type ByteString, byteStringFrom, sliceBytes } from '../../bytes/byte-string.js';

/** Text is decoded in pieces of about this many bytes: strings have a maximum length, dumpfiles do not. */
const PIECE_SIZE = 8 * 1024 * 1024;

const LF = 0x0a;

/** The lines of a text, without their LF. No line follows a final LF. */
export function* dumpLines(bytes: Uint8Array): Generator<ByteString> {
  let start = 0;
  while (start < bytes.length) {
    const newline = start + PIECE_SIZE < bytes.length ? bytes.indexOf(LF, start + PIECE_SIZE) : -1;
    const end = newline < 0 ? bytes.length : newline + 1;
    yield* splitLines(byteStringFrom(bytes.subarray(start, end)));
    start = end;
  }
}

function* splitLines(text: ByteString): Generator<ByteString> {
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    yield sliceBytes(text, start, end);
    start = end + 1;
  }
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
