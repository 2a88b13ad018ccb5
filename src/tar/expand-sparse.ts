import type { SparseFile } from './sparse.js';

/** Takes a file with its holes. */
export interface ExpandedSink {
  write(chunk: Buffer): void;
  writeZeros(length: number): void;
}

/** Spreads the data of a sparse file over its regions. */
export class SparseExpander {
  readonly #file: SparseFile;
  readonly #sink: ExpandedSink;
  /** The region that the next byte belongs to, and how much of it is there. */
  #region = 0;
  #filled = 0;
  /** Bytes of the file so far. */
  #position = 0;

  constructor(file: SparseFile, sink: ExpandedSink) {
    this.#file = file;
    this.#sink = sink;
  }

  /** Takes data as the tar has them, cut anywhere; all together as much as the regions have. */
  write(data: Buffer): void {
    for (let start = 0; start < data.length; ) {
      const region = this.#file.regions[this.#region];
      if (region === undefined) throw new RangeError('more data than the regions of a sparse file have');
      const taken = Math.min(region.length - this.#filled, data.length - start);
      if (taken > 0) {
        this.#zerosUpTo(region.offset + this.#filled);
        this.#sink.write(data.subarray(start, start + taken));
        this.#position += taken;
        this.#filled += taken;
        start += taken;
      }
      if (this.#filled === region.length) {
        this.#region++;
        this.#filled = 0;
      }
    }
  }

  /** All data were written. */
  finish(): void {
    this.#zerosUpTo(this.#file.size);
  }

  #zerosUpTo(position: number): void {
    if (position > this.#position) this.#sink.writeZeros(position - this.#position);
    this.#position = position;
  }
}

/** The whole file, for small ones. */
export function expandSparse(file: SparseFile, data: Buffer): Buffer {
  const whole = Buffer.alloc(file.size);
  let position = 0;
  const expander = new SparseExpander(file, {
    write: (chunk) => {
      position += chunk.copy(whole, position);
    },
    writeZeros: (length) => {
      position += length;
    },
  });
  expander.write(data);
  expander.finish();
  return whole;
}
