import { invalidData } from '../stream/compression-error.js';

/**
 * Reads a Zstandard bit stream, which is written forwards and read backwards (RFC 8878 §4.1): the last byte holds the
 * last bits and, as its highest set bit, the mark of their end.
 */
export class BackwardBits {
  readonly #data: Uint8Array;
  readonly #start: number;
  /** Unread bits; negative once more was read than there was. */
  remaining: number;

  /** The stream is `data` from `start` to `end`. */
  constructor(data: Uint8Array, start: number, end: number) {
    const last = end > start ? (data[end - 1] ?? 0) : 0;
    if (last === 0) throw corrupt('bit stream without an end mark');
    this.#data = data;
    this.#start = start;
    this.remaining = (end - start) * 8 - 1 - Math.clz32(last << 24);
  }

  /** The next `count` bits, at most 24, without taking them. What is missing at the end reads as zero bits. */
  peek(count: number): number {
    const position = this.remaining - count;
    if (position < 0) return position <= -24 ? 0 : (this.#at(0, count + position) << -position) & ((1 << count) - 1);
    return this.#at(position, count);
  }

  /** Takes `count` bits, at most 32. */
  read(count: number): number {
    if (count > 24) return this.read(count - 16) * 65536 + this.read(16);
    const value = this.peek(count);
    this.remaining -= count;
    return value;
  }

  #at(position: number, count: number): number {
    if (count <= 0) return 0;
    const data = this.#data;
    const index = this.#start + (position >>> 3);
    const word =
      (data[index] ?? 0) |
      ((data[index + 1] ?? 0) << 8) |
      ((data[index + 2] ?? 0) << 16) |
      ((data[index + 3] ?? 0) << 24);
    return (word >>> (position & 7)) & ((1 << count) - 1);
  }
}

export function corrupt(reason: string): Error {
  return invalidData('zstd', reason);
}
