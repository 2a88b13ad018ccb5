import { hash } from 'node:crypto';
import { ComposefsError } from '../../errors.js';
import { digestSize, type HashAlgorithm, kernelId, LG_BLOCKSIZE, VERITY_BLOCK_SIZE } from './algorithm.js';
import { type ObjectId, trustedObjectId } from './object-id.js';

/**
 * The fs-verity digest of data that comes in pieces (spec 10 §2; Linux Documentation/filesystems/fsverity.rst).
 *
 * The data is hashed in blocks of 4096 bytes, then the hashes are, until one is left: the root of a Merkle tree. The
 * digest is the hash of a descriptor that holds the root and the size. Only one block of each level is kept.
 */
export class FsVerityHasher {
  static readonly VERITY_BLOCK_SIZE: number = VERITY_BLOCK_SIZE;

  readonly #algorithm: HashAlgorithm;
  readonly #digestSize: number;
  /** The end of the data so far that does not fill a block. */
  readonly #partial = new Uint8Array(VERITY_BLOCK_SIZE);
  /** Hashes that do not fill a block yet: of the data at 0, of the blocks of level n − 1 at n. */
  readonly #levels: TreeLevel[];
  /** `struct fsverity_descriptor`: version @0, hash_algorithm @1, log_blocksize @2, data_size @8, root_hash @16. */
  readonly #descriptor = Buffer.alloc(256);
  #size = 0;
  #digest: ObjectId | undefined;

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm;
    this.#digestSize = digestSize(algorithm);
    this.#levels = [new TreeLevel()];
    this.#descriptor.set([1, kernelId(algorithm), LG_BLOCKSIZE]);
  }

  /** Appends data, any amount of it. */
  update(chunk: Uint8Array): this {
    if (this.#digest !== undefined) throw new ComposefsError('HASHER_ENDED', 'cannot add data after the digest');
    let position = this.#fillPartial(chunk);
    for (; chunk.length - position >= VERITY_BLOCK_SIZE; position += VERITY_BLOCK_SIZE) {
      this.#pushHash(hashBlock(this.#algorithm, chunk.subarray(position, position + VERITY_BLOCK_SIZE)));
    }
    if (position < chunk.length) this.#partial.set(position === 0 ? chunk : chunk.subarray(position));
    this.#size += chunk.length;
    return this;
  }

  /** Appends zeros. Whole trees of zero blocks are known: the time is that of the logarithm of the length. */
  updateZeros(length: number): this {
    let rest = length;
    const begun = this.#size % VERITY_BLOCK_SIZE;
    const first = begun === 0 ? 0 : Math.min(VERITY_BLOCK_SIZE - begun, rest);
    if (first > 0) this.update(ZERO_BLOCK.subarray(0, first));
    rest -= first;
    const blocks = Math.floor(rest / VERITY_BLOCK_SIZE);
    this.#pushZeroBlocks(blocks);
    this.#size += blocks * VERITY_BLOCK_SIZE;
    rest -= blocks * VERITY_BLOCK_SIZE;
    return rest === 0 ? this : this.update(ZERO_BLOCK.subarray(0, rest));
  }

  /**
   * Appends one block: 4096 bytes, only the last may be shorter.
   *
   * @throws ComposefsError `INVALID_BLOCK` for a block after a short one, an empty one, or a longer one.
   */
  addBlock(block: Uint8Array): this {
    if (this.#size % VERITY_BLOCK_SIZE !== 0) {
      throw new ComposefsError('INVALID_BLOCK', 'cannot add data after a partial block');
    }
    if (block.length === 0 || block.length > VERITY_BLOCK_SIZE) {
      throw new ComposefsError('INVALID_BLOCK', `a block has 1 to ${VERITY_BLOCK_SIZE} bytes, not ${block.length}`);
    }
    return this.update(block);
  }

  /** The digest. Further calls return the same; data can no longer be added. */
  digest(): ObjectId {
    this.#digest ??= this.#hashDescriptor(this.#root());
    return this.#digest;
  }

  /** Forgets everything, so that the next file needs no new buffers. */
  reset(): this {
    this.#size = 0;
    this.#digest = undefined;
    this.#levels.length = 1;
    for (const level of this.#levels) level.used = 0;
    return this;
  }

  /** Completes a block that was begun before. Returns how much of the chunk that took. */
  #fillPartial(chunk: Uint8Array): number {
    const begun = this.#size % VERITY_BLOCK_SIZE;
    if (begun === 0) return 0;
    const taken = Math.min(VERITY_BLOCK_SIZE - begun, chunk.length);
    this.#partial.set(taken === chunk.length ? chunk : chunk.subarray(0, taken), begun);
    if (begun + taken === VERITY_BLOCK_SIZE) this.#pushHash(hashBlock(this.#algorithm, this.#partial));
    return taken;
  }

  #pushZeroBlocks(count: number): void {
    if (this.#digest !== undefined) throw new ComposefsError('HASHER_ENDED', 'cannot add data after the digest');
    const arity = VERITY_BLOCK_SIZE / this.#digestSize;
    const hashes = [hashBlock(this.#algorithm, ZERO_BLOCK)];
    for (let rest = count; rest > 0; ) {
      // The largest whole tree that fits here: nothing may be begun below it.
      let depth = 0;
      let blocks = 1;
      while (this.#level(depth).used === 0 && blocks * arity <= rest) {
        blocks *= arity;
        depth++;
        hashes[depth] ??= hashBlock(this.#algorithm, Buffer.alloc(VERITY_BLOCK_SIZE, hashes[depth - 1], 'latin1'));
      }
      this.#pushHash(hashes[depth] ?? '', depth);
      rest -= blocks;
    }
  }

  /** Adds a hash to the lowest level; blocks that become full go up. */
  #pushHash(blockHash: string, lowest = 0): void {
    let rising = blockHash;
    for (let depth = lowest; ; depth++) {
      const level = this.#level(depth);
      level.block.write(rising, level.used, this.#digestSize, 'latin1');
      level.used += this.#digestSize;
      if (level.used < VERITY_BLOCK_SIZE) return;
      rising = hashBlock(this.#algorithm, level.block);
      level.used = 0;
    }
  }

  #level(depth: number): TreeLevel {
    let level = this.#levels[depth];
    if (level === undefined) {
      level = new TreeLevel();
      this.#levels[depth] = level;
    }
    return level;
  }

  /** The root hash as latin1. */
  #root(): string {
    if (this.#size === 0) return '\0'.repeat(this.#digestSize);
    const begun = this.#size % VERITY_BLOCK_SIZE;
    if (begun > 0) {
      this.#partial.fill(0, begun);
      const last = hashBlock(this.#algorithm, this.#partial);
      if (this.#size < VERITY_BLOCK_SIZE) return last;
      this.#pushHash(last);
    }
    for (let depth = 0; ; depth++) {
      const level = this.#level(depth);
      // A level has something above it as soon as one of its blocks was full: one hash at the top is all there is.
      const isTop = depth === this.#levels.length - 1;
      if (isTop && level.used === this.#digestSize) return level.block.toString('latin1', 0, this.#digestSize);
      if (level.used === 0) continue;
      level.block.fill(0, level.used);
      level.used = 0;
      this.#pushHash(hashBlock(this.#algorithm, level.block), depth + 1);
    }
  }

  /** @param root as latin1. */
  #hashDescriptor(root: string): ObjectId {
    this.#descriptor.writeUInt32LE(this.#size % 2 ** 32, 8);
    this.#descriptor.writeUInt32LE(Math.floor(this.#size / 2 ** 32), 12);
    this.#descriptor.write(root, 16, this.#digestSize, 'latin1');
    return trustedObjectId(hash(this.#algorithm, this.#descriptor, 'hex'));
  }
}

const ZERO_BLOCK: Buffer = Buffer.alloc(VERITY_BLOCK_SIZE);

class TreeLevel {
  readonly block: Buffer = Buffer.allocUnsafeSlow(VERITY_BLOCK_SIZE);
  /** Bytes of the block that hold hashes. */
  used = 0;
}

/**
 * As a latin1 string: Node makes strings much faster than buffers, and a one-shot hash takes half the time of a `Hash`
 * object around it.
 */
function hashBlock(algorithm: HashAlgorithm, block: Uint8Array): string {
  return hash(algorithm, block, 'binary');
}
