/** Bytes that fit are put into pieces of this size; an address is the number of a piece and a place in it. */
const PIECE_BITS = 16;
const PIECE_SIZE = 2 ** PIECE_BITS;
const PIECES_MAX = 2 ** (32 - PIECE_BITS);

/**
 * Short byte strings in large numbers, found again by 32-bit addresses. They lie in pieces of memory off the heap that
 * never move: growing copies nothing, and the garbage collector has nothing to look at.
 */
export class ByteArena {
  readonly #pieces: Buffer[] = [];
  /** The piece that is being filled, and how much of it is in use. */
  #current = -1;
  #used = 0;

  /** Room for `length` bytes; undefined if the arena, which can have 4 GiB, is full. */
  allocate(length: number): number | undefined {
    // The address of no bytes, too, lies in a piece that there is.
    if (this.#current < 0 || this.#used + Math.max(length, 1) > PIECE_SIZE) {
      if (this.#pieces.length === PIECES_MAX) return undefined;
      const index = this.#pieces.push(Buffer.allocUnsafeSlow(Math.max(length, PIECE_SIZE))) - 1;
      // What is longer than a piece has one of its own, and the one before goes on being filled.
      if (length > PIECE_SIZE) return index * PIECE_SIZE;
      this.#current = index;
      this.#used = 0;
    }
    const address = this.#current * PIECE_SIZE + this.#used;
    this.#used += length;
    return address;
  }

  /** The memory in which an address lies, at {@link offsetOf}. */
  pieceOf(address: number): Buffer {
    const piece = this.#pieces[address >>> PIECE_BITS];
    if (piece === undefined) throw new Error(`nothing was allocated at ${address}`);
    return piece;
  }
}

/** Where in its piece an address lies. */
export function offsetOf(address: number): number {
  return address & (PIECE_SIZE - 1);
}
