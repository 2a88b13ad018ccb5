import { asBuffer } from '../../bytes/byte-string.js';
import { invalidData, trailingData, truncatedData } from '../stream/compression-error.js';

/** Frames that need a larger window are refused, as libzstd does by default. */
const MAX_WINDOW_SIZE: number = 2 ** 27;
export const MAX_BLOCK_SIZE = 131072;
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

export interface FrameHeader {
  /** Bytes of the header. */
  readonly size: number;
  /** In bytes. */
  readonly windowSize: number;
  /** Bytes of the decoded frame, if the header tells. */
  readonly contentSize: number | undefined;
  /** The frame ends with a checksum of 4 bytes. */
  readonly checksum: boolean;
}

export interface Block {
  readonly type: 'raw' | 'repeated' | 'compressed';
  /** The block's size field: the decoded size of a raw or repeated block, the stored size of a compressed one. */
  readonly size: number;
  /** What is stored: for a repeated block one byte. */
  readonly content: Buffer;
}

/** A part of a Zstandard frame: the frame header with the first block, or one more block. */
export interface FramePart {
  /** The bytes as they are in the file. */
  readonly data: Buffer;
  /** Set if this part begins a frame. */
  readonly header: FrameHeader | undefined;
  readonly block: Block;
  /** This part ends the frame; it holds the checksum if there is one. */
  readonly last: boolean;
}

const BLOCK_TYPES: readonly (Block['type'] | undefined)[] = ['raw', 'repeated', 'compressed', undefined];

/**
 * Cuts Zstandard data into frames and blocks without decoding it (RFC 8878 §3.1), for decoders that stop after one
 * frame or must be fed bit by bit. Skippable frames are dropped. Never holds more than one block.
 */
export class ZstdFrameSplitter {
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of a skippable frame still to be dropped. */
  #skip = 0;
  /** The header of the frame that is being read. */
  #frame: FrameHeader | undefined;
  #frames = 0;

  *push(chunk: Uint8Array): Generator<FramePart> {
    this.#pending = this.#pending.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const skipped = Math.min(this.#skip, this.#pending.length);
      this.#skip -= skipped;
      this.#pending = this.#pending.subarray(skipped);
      if (this.#pending.length === 0) break;
      if (this.#frame === undefined && this.#beginSkippable()) continue;
      const part = this.#nextPart();
      if (part === undefined) break;
      yield part;
    }
    // A copy, so that a small rest does not keep the caller's buffer.
    this.#pending = Buffer.from(this.#pending);
  }

  /** @throws CompressionError if the data ended inside a frame, or there was none. */
  finish(): void {
    if (this.#frame !== undefined || this.#skip > 0 || this.#frames === 0) throw truncatedData('zstd');
    if (this.#pending.length > 0) throw isMagicPrefix(this.#pending) ? truncatedData('zstd') : trailingData('zstd');
  }

  #beginSkippable(): boolean {
    const data = this.#pending;
    if (data.length < 8 || (data.readUInt32LE(0) & 0xfffffff0) >>> 0 !== SKIPPABLE_MAGIC) return false;
    this.#skip = 8 + data.readUInt32LE(4);
    this.#frames++;
    return true;
  }

  /** The next part if it is complete; undefined if more data is needed. */
  #nextPart(): FramePart | undefined {
    const data = this.#pending;
    const first = this.#frame === undefined;
    const header = this.#frame ?? this.#readHeader(data);
    const start = first ? header?.size : 0;
    if (header === undefined || start === undefined || data.length < start + 3) return undefined;
    const field = data.readUIntLE(start, 3);
    const size = field >> 3;
    const type = BLOCK_TYPES[(field >> 1) & 3];
    const last = (field & 1) === 1;
    if (type === undefined || size > MAX_BLOCK_SIZE) throw invalidData('zstd', 'Data corruption detected');
    const contentEnd = start + 3 + (type === 'repeated' ? 1 : size);
    const end = contentEnd + (last && header.checksum ? 4 : 0);
    if (data.length < end) return undefined;
    this.#pending = data.subarray(end);
    this.#frame = last ? undefined : header;
    if (first) this.#frames++;
    return {
      data: data.subarray(0, end),
      header: first ? header : undefined,
      block: { type, size, content: data.subarray(start + 3, contentEnd) },
      last,
    };
  }

  /** Frame_Header: descriptor, window descriptor, dictionary id, content size. */
  #readHeader(data: Buffer): FrameHeader | undefined {
    if (data.length < 4) {
      if (!isMagicPrefix(data)) throw this.#unknownFrame();
      return undefined;
    }
    const magic = data.readUInt32LE(0);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) return undefined;
    if (magic !== MAGIC) throw this.#unknownFrame();
    if (data.length < 5) return undefined;
    const descriptor = data.readUInt8(4);
    if ((descriptor & 0x08) !== 0) throw invalidData('zstd', 'Unsupported frame parameter');
    const singleSegment = (descriptor & 0x20) !== 0;
    const contentSizeCode = descriptor >> 6;
    const contentSizeLength = contentSizeCode === 0 ? (singleSegment ? 1 : 0) : 1 << contentSizeCode;
    const dictionaryLength = [0, 1, 2, 4][descriptor & 3] ?? 0;
    const contentSizeAt = 5 + (singleSegment ? 0 : 1) + dictionaryLength;
    const size = contentSizeAt + contentSizeLength;
    if (data.length < size) return undefined;
    const dictionary = data.subarray(contentSizeAt - dictionaryLength, contentSizeAt);
    if (dictionary.some((byte) => byte !== 0)) throw invalidData('zstd', 'Dictionary mismatch');
    const contentSize = readContentSize(data.subarray(contentSizeAt, size));
    const windowSize = singleSegment ? (contentSize ?? 0) : readWindowSize(data.readUInt8(5));
    if (windowSize > MAX_WINDOW_SIZE) throw invalidData('zstd', 'Frame requires too much memory for decoding');
    return { size, windowSize, contentSize, checksum: (descriptor & 0x04) !== 0 };
  }

  #unknownFrame(): Error {
    return this.#frames > 0 ? trailingData('zstd') : invalidData('zstd', 'Unknown frame descriptor');
  }
}

function readWindowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Values beyond 2^53, which no frame reaches, lose precision. */
function readContentSize(field: Buffer): number | undefined {
  switch (field.length) {
    case 0:
      return undefined;
    case 1:
      return field.readUInt8(0);
    case 2:
      return field.readUInt16LE(0) + 256;
    case 4:
      return field.readUInt32LE(0);
    default:
      return Number(field.readBigUInt64LE(0));
  }
}

function isMagicPrefix(data: Buffer): boolean {
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  const skippable = Buffer.from([(data[0] ?? 0) | 0, 0x2a, 0x4d, 0x18]);
  const length = Math.min(4, data.length);
  if (data.subarray(0, length).equals(frame.subarray(0, length))) return true;
  return (skippable.readUInt8(0) & 0xf0) === 0x50 && data.subarray(0, length).equals(skippable.subarray(0, length));
}
