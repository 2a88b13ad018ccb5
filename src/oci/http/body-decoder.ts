import { HttpSyntaxError, LineReader } from './http-syntax.js';
import type { BodyFraming } from './response-head.js';

/** Takes the content out of the bytes of a body. */
export interface BodyDecoder {
  /** No more is to come. */
  readonly isDone: boolean;
  /** The connection may end here without anything missing. */
  readonly mayEnd: boolean;
  /**
   * The content in `data`, up to the end of the body, which is at `next`.
   *
   * @throws HttpSyntaxError
   */
  push(data: Buffer): { readonly content: readonly Buffer[]; readonly next: number };
}

export function bodyDecoder(framing: BodyFraming): BodyDecoder {
  if (framing.kind === 'chunked') return new ChunkedDecoder();
  return new PlainDecoder(framing.kind === 'length' ? framing.length : Infinity);
}

class PlainDecoder implements BodyDecoder {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  get mayEnd(): boolean {
    return this.#left === 0 || this.#left === Infinity;
  }

  push(data: Buffer): { content: Buffer[]; next: number } {
    const next = Math.min(data.length, this.#left);
    this.#left -= next;
    return { content: next === 0 ? [] : [data.subarray(0, next)], next };
  }
}

const MAX_CHUNK_LINE_BYTES = 4 << 10;
const MAX_TRAILER_BYTES = 64 << 10;
/** A chunk may bring so many bytes, and twice its size, beside its data. */
const FREE_OVERHEAD = 16;
/** More than this beyond what is free, and the server sends nothing but overhead. */
const MAX_OVERHEAD = 16 << 10;

/** Chunks (RFC 9112 §7.1), without their extensions and the trailer. */
class ChunkedDecoder implements BodyDecoder {
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #lines = new LineReader('the line before a chunk is', MAX_CHUNK_LINE_BYTES);
  #left = 0;
  #overhead = 0;

  get isDone(): boolean {
    return this.#state === 'done';
  }

  get mayEnd(): boolean {
    return this.#state === 'done';
  }

  push(data: Buffer): { content: Buffer[]; next: number } {
    const content: Buffer[] = [];
    let position = 0;
    while (position < data.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const end = Math.min(position + this.#left, data.length);
        content.push(data.subarray(position, end));
        this.#left -= end - position;
        position = end;
        if (this.#left === 0) this.#state = 'data-end';
        continue;
      }
      const read = this.#lines.read(data, position);
      if (read === undefined) return { content, next: data.length };
      position = read.next;
      this.#take(read.line);
    }
    return { content, next: position };
  }

  #take(line: string): void {
    if (this.#state === 'trailer') {
      if (line === '') this.#state = 'done';
      return;
    }
    this.#lines = new LineReader('the line before a chunk is', MAX_CHUNK_LINE_BYTES);
    if (this.#state === 'data-end') {
      if (line !== '') throw new HttpSyntaxError('a chunk is longer than its size');
      this.#state = 'size';
      return;
    }
    const digits = /^([0-9a-f]{1,16})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
    const size = Number.parseInt(digits ?? '', 16);
    if (!Number.isSafeInteger(size)) throw new HttpSyntaxError('a chunk has no size');
    this.#overhead = Math.max(0, this.#overhead + line.length + 4 - FREE_OVERHEAD - 2 * size);
    if (this.#overhead > MAX_OVERHEAD) throw new HttpSyntaxError('its chunks are next to empty');
    this.#left = size;
    this.#state = size === 0 ? 'trailer' : 'data';
    if (size === 0) this.#lines = new LineReader('the trailer is', MAX_TRAILER_BYTES);
  }
}
