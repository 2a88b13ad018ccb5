/** Random numbers that a seed repeats: xorshift32, for choices and not for secrets. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds are to give unlike sequences, and the state must not be 0.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995 || 1;
    for (let i = 0; i < 4; i++) this.#next();
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor((this.#next() / 2 ** 32) * limit);
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  bytes(size: number): Buffer {
    const bytes = Buffer.alloc(size);
    for (let i = 0; i < size; i += 4) {
      const word = this.#next();
      for (let j = 0; j < 4 && i + j < size; j++) bytes[i + j] = word >>> (8 * j);
    }
    return bytes;
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}

/** Numbers from 0 to `limit - 1`, for what needs no more of a {@link Random}. */
export function randomNumbers(seed: number): (limit: number) => number {
  const random = new Random(seed);
  return (limit) => random.below(limit);
}
