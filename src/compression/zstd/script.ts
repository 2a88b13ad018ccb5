import { corrupt } from './bits.js';
import { type FrameHeader, type FramePart, MAX_BLOCK_SIZE } from './frame.js';
import { decodeHuffman, type HuffmanTable, readHuffmanTable } from './huffman.js';
import { decodeSequences, SequenceTables } from './sequences.js';

const MIN_BUFFER_SIZE = 4 * MAX_BLOCK_SIZE;
/** Below this a loop is faster than a call. */
const SHORT_COPY = 24;

/** Decodes the blocks of one frame in JavaScript (RFC 8878 §3.1.1). Content checksums are not checked. */
export class ScriptedFrameDecoder {
  readonly #header: FrameHeader;
  readonly #maxBlockSize: number;
  /** The content so far, of which at least the last `windowSize` bytes are kept, and room for the next block. */
  #buffer: Buffer = Buffer.alloc(0);
  #position = 0;
  #produced = 0;
  #huffman: HuffmanTable | undefined;
  readonly #tables = new SequenceTables();
  #offsets: [number, number, number] = [1, 4, 8];

  constructor(header: FrameHeader) {
    this.#header = header;
    this.#maxBlockSize = Math.min(MAX_BLOCK_SIZE, header.windowSize);
  }

  /** The content of one block, which belongs to the caller. */
  decode(part: FramePart): Buffer {
    const { block } = part;
    this.#makeRoom();
    const start = this.#position;
    if (block.type === 'compressed') this.#decodeCompressed(block.content);
    else {
      if (block.size > this.#maxBlockSize) throw corrupt('block is too large');
      if (block.type === 'raw') this.#buffer.set(block.content, start);
      else this.#buffer.fill(block.content.readUInt8(0), start, start + block.size);
      this.#position += block.size;
    }
    this.#produced += this.#position - start;
    const { contentSize } = this.#header;
    if (contentSize !== undefined && (part.last ? this.#produced !== contentSize : this.#produced > contentSize)) {
      throw corrupt('frame has another content size than it declares');
    }
    return Buffer.from(this.#buffer.subarray(start, this.#position));
  }

  /** Keeps the window, and moves it only after at least as many bytes were decoded. */
  #makeRoom(): void {
    if (this.#position + MAX_BLOCK_SIZE <= this.#buffer.length) return;
    const kept = Math.min(this.#position, this.#header.windowSize);
    const from = this.#position - kept;
    const wanted = Math.max(MIN_BUFFER_SIZE, 2 * kept + MAX_BLOCK_SIZE);
    if (wanted > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(wanted);
      this.#buffer.copy(larger, 0, from, this.#position);
      this.#buffer = larger;
    } else {
      this.#buffer.copyWithin(0, from, this.#position);
    }
    this.#position = kept;
  }

  #decodeCompressed(content: Buffer): void {
    const { literals, end } = this.#readLiterals(content);
    const buffer = this.#buffer;
    const limit = this.#position + this.#maxBlockSize;
    let out = this.#position;
    let literal = 0;
    decodeSequences(content, end, content.length, this.#tables, (literalLength, offsetValue, matchLength) => {
      if (literal + literalLength > literals.length) throw corrupt('sequences need more literals than there are');
      if (out + literalLength + matchLength > limit) throw corrupt('block is too large');
      if (literalLength < SHORT_COPY) {
        for (let i = 0; i < literalLength; i++) buffer[out + i] = literals[literal + i] ?? 0;
      } else {
        buffer.set(literals.subarray(literal, literal + literalLength), out);
      }
      literal += literalLength;
      out += literalLength;
      const offset = this.#offset(offsetValue, literalLength);
      // Bytes before `out` in the buffer are content of this frame, at least a window of it.
      if (offset > out || offset > this.#header.windowSize) throw corrupt('match is too far back');
      if (matchLength < SHORT_COPY || offset < matchLength) {
        for (let i = 0; i < matchLength; i++) buffer[out + i] = buffer[out + i - offset] ?? 0;
      } else {
        buffer.copyWithin(out, out - offset, out - offset + matchLength);
      }
      out += matchLength;
    });
    const rest = literals.subarray(literal);
    if (out + rest.length > limit) throw corrupt('block is too large');
    buffer.set(rest, out);
    this.#position = out + rest.length;
  }

  /** Repeated offsets (RFC 8878 §3.1.1.5). */
  #offset(value: number, literalLength: number): number {
    const [first, second, third] = this.#offsets;
    if (value > 3) {
      this.#offsets = [value - 3, first, second];
      return value - 3;
    }
    const which = literalLength === 0 ? value + 1 : value;
    if (which === 1) return first;
    if (which === 2) this.#offsets = [second, first, third];
    else this.#offsets = [which === 3 ? third : first - 1, first, second];
    if (this.#offsets[0] === 0) throw corrupt('offset is zero');
    return this.#offsets[0];
  }

  /** Literals_Section (RFC 8878 §3.1.1.3.1). */
  #readLiterals(content: Buffer): { literals: Uint8Array; end: number } {
    if (content.length === 0) throw corrupt('literals section is missing');
    const first = content.readUInt8(0);
    const type = first & 3;
    const format = (first >> 2) & 3;
    const plain = type < 2;
    const headerSize = plain ? ([1, 2, 1, 3][format] ?? 0) : ([3, 3, 4, 5][format] ?? 0);
    if (headerSize > content.length) throw corrupt('literals section is truncated');
    const header = content.readUIntLE(0, headerSize);
    if (plain) {
      const size = Math.floor(header / (headerSize === 1 ? 8 : 16));
      if (size > this.#maxBlockSize) throw corrupt('too many literals');
      const end = headerSize + (type === 0 ? size : 1);
      if (end > content.length) throw corrupt('literals section is truncated');
      const stored = content.subarray(headerSize, end);
      return { literals: type === 0 ? stored : Buffer.alloc(size, stored), end };
    }
    const sizeBits = [10, 10, 14, 18][format] ?? 0;
    const size = Math.floor(header / 16) % 2 ** sizeBits;
    const end = headerSize + Math.floor(header / 2 ** (4 + sizeBits));
    if (size > this.#maxBlockSize) throw corrupt('too many literals');
    if (end > content.length) throw corrupt('literals section is truncated');
    let start = headerSize;
    if (type === 2) {
      const read = readHuffmanTable(content, start, end);
      this.#huffman = read.table;
      start = read.end;
    }
    if (this.#huffman === undefined) throw corrupt('there is no Huffman table to repeat');
    const literals = Buffer.allocUnsafe(size);
    if (format === 0) decodeHuffman(this.#huffman, content, start, end, literals);
    else decodeFourStreams(this.#huffman, content, start, end, literals);
    return { literals, end };
  }
}

function decodeFourStreams(table: HuffmanTable, data: Buffer, start: number, end: number, output: Buffer): void {
  if (start + 6 > end) throw corrupt('literals section is truncated');
  const share = (output.length + 3) >> 2;
  if (3 * share > output.length) throw corrupt('too few literals for four streams');
  let at = start + 6;
  for (let i = 0; i < 4; i++) {
    const streamEnd = i === 3 ? end : at + data.readUInt16LE(start + 2 * i);
    if (streamEnd > end) throw corrupt('literals section is truncated');
    decodeHuffman(table, data, at, streamEnd, output.subarray(i * share, i === 3 ? output.length : (i + 1) * share));
    at = streamEnd;
  }
}
