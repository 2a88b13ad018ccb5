import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Random } from '../support/random.js';

/** A write, a flush, or a mark that the campaign set: type u64 @0, offset (or the mark) u64 @8, size u64 @16, data. */
export interface BlockRecord {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

export const RECORD_WRITE = 0;
export const RECORD_FLUSH = 1;
export const RECORD_MARK = 2;
const HEADER_SIZE = 24;

export function encodeRecord({ type, offset, size }: BlockRecord): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  [type, offset, size].forEach((value, index) => {
    header.writeBigUInt64LE(BigInt(value), 8 * index);
  });
  return header;
}

/** Says in the log that step `number` has ended. */
export function writeMark(log: string, number: number): void {
  const fd = openSync(log, 'a');
  try {
    writeSync(fd, encodeRecord({ type: RECORD_MARK, offset: number, size: 0 }));
  } finally {
    closeSync(fd);
  }
}

/** How much of what the disk's cache held at the cut had reached the medium. */
export type CacheLoss = 'nothing lost' | 'a part lost' | 'all lost';
export const CACHE_LOSSES: readonly CacheLoss[] = ['nothing lost', 'a part lost', 'all lost'];

/** The recorded writes and flushes of a block device. */
export class BlockLog {
  readonly #bytes: Buffer;
  /** Position of each record's data in the file. */
  readonly #records: (BlockRecord & { readonly data: number })[] = [];

  constructor(path: string) {
    this.#bytes = readFileSync(path);
    for (let at = 0; at < this.#bytes.length; ) {
      const [type, offset, size] = [0, 8, 16].map((field) => Number(this.#bytes.readBigUInt64LE(at + field)));
      if (type === undefined || offset === undefined || size === undefined) throw new Error('no record');
      at += HEADER_SIZE;
      this.#records.push({ type, offset, size, data: at });
      if (type === RECORD_WRITE) at += size;
    }
  }

  /** Records; a cut is a number from the first mark to this. */
  get length(): number {
    return this.#records.length;
  }

  /** Where the first step began. */
  get start(): number {
    return this.#records.findIndex(({ type }) => type === RECORD_MARK);
  }

  /** The last mark before a cut. */
  markBefore(cut: number): number {
    return this.#records.slice(0, cut).findLast(({ type }) => type === RECORD_MARK)?.offset ?? 0;
  }

  /**
   * Writes what a power cut leaves: everything before the last flush, and of what came after it, which may be in the
   * disk's cache only, all, some or nothing.
   *
   * @param disk holds what was there before the first record.
   */
  replay(disk: string, cut: number, loss: CacheLoss, random: Random): void {
    const before = this.#records.slice(0, cut);
    const flushed = before.findLastIndex(({ type }) => type === RECORD_FLUSH);
    const fd = openSync(disk, 'r+');
    try {
      for (const [index, { type, offset, size, data }] of before.entries()) {
        if (type !== RECORD_WRITE) continue;
        const isKept = index < flushed || loss === 'nothing lost' || (loss === 'a part lost' && random.chance(0.5));
        if (isKept) writeSync(fd, this.#bytes, data, size, offset);
      }
    } finally {
      closeSync(fd);
    }
  }
}
