import { type ByteRegion, byteRegion } from '../../../bytes/byte-region.js';
import { roundUp } from '../../../bytes/integer.js';
import { BLOCK_SIZE } from '../format/constants.js';

const PIECE_SIZE = 256 * 1024;

/** Takes a piece of an image, which is written over afterwards. */
export type TakePiece = (piece: Uint8Array) => void;

/**
 * Writes an image from its beginning to its end and hands it out in pieces of whole blocks: an image of a million inodes, which
 * has hundreds of megabytes, is never in memory as a whole.
 */
export class PieceWriter {
  readonly #take: TakePiece;
  #region: ByteRegion = byteRegion(Buffer.alloc(PIECE_SIZE));
  /** Position of the region in the image. */
  #start = 0;

  constructor(take: TakePiece) {
    this.#take = take;
  }

  /** Zeroed memory, in which {@link offsetOf} says where a position is, until the next call. Positions do not go back. */
  reserve(position: number, length: number): ByteRegion {
    if (position + length - this.#start > this.#region.bytes.length) {
      this.#advance(position);
      const needed = position + length - this.#start;
      if (needed > this.#region.bytes.length) {
        const larger = Buffer.alloc(roundUp(needed, BLOCK_SIZE));
        this.#region.bytes.copy(larger);
        this.#region = byteRegion(larger);
      }
    }
    return this.#region;
  }

  offsetOf(position: number): number {
    return position - this.#start;
  }

  /** @param size of the image, in whole blocks. */
  finish(size: number): void {
    this.#advance(size);
  }

  /** Hands out the blocks before that of a position. */
  #advance(position: number): void {
    const { bytes } = this.#region;
    const end = position - (position % BLOCK_SIZE);
    while (this.#start < end) {
      const length = Math.min(end - this.#start, bytes.length);
      this.#take(bytes.subarray(0, length));
      bytes.copyWithin(0, length);
      bytes.fill(0, bytes.length - length);
      this.#start += length;
    }
  }
}
