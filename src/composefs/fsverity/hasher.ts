import { ComposefsError } from '../../errors.js';
import { digestSize, type HashAlgorithm, kernelId, LG_BLOCKSIZE, VERITY_BLOCK_SIZE } from './algorithm.js';
import { type BlockHash, blockHash, type Place } from './block-hash.js';
import { type ObjectId, trustedObjectId } from './object-id.js';

/**
 * The fs-verity digest of data that comes in pieces (spec 10 §2; Linux Documentation/filesystems/fsverity.rst).
 *
 * The data is hashed in blocks of 4096 bytes, then the hashes are, until one is left: the root of a Merkle tree. The
 * digest is the hash of a descriptor that holds the root and the size. Only one block of each level is kept.
 */
export class FsVerityHasher {
  static readonly VERITY_BLOCK_SIZE: number = VERITY_BLOCK_SIZE;

  readonly #digestSize: number;
  readonly #blockHash: BlockHash;
  /** The end of the data so far that does not fill a block. */
  readonly #partial: Memory;
  /** Hashes that do not fill a block yet: of the data at 0, of the blocks of level n − 1 at n. */
  readonly #levels: TreeLevel[];
  /** `struct fsverity_descriptor`: version @0, hash_algorithm @1, log_blocksize @2, data_size @8, root_hash @16. */
  readonly #descriptor: Memory;
  /** The hash of the descriptor. */
  readonly #result: Memory;
  /** What is being hashed, so that it is there as long as its address is in use. */
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: it is there to keep the memory.
  #source: Uint8Array | undefined;
  #size = 0;
  #digest: ObjectId | undefined;

  constructor(algorithm: HashAlgorithm) {
    this.#digestSize = digestSize(algorithm);
    this.#blockHash = blockHash(algorithm);
    this.#partial = new Memory(VERITY_BLOCK_SIZE, this.#blockHash);
    this.#levels = [new TreeLevel(this.#blockHash)];
    this.#descriptor = new Memory(DESCRIPTOR_SIZE, this.#blockHash);
    this.#result = new Memory(this.#digestSize, this.#blockHash);
    this.#descriptor.bytes.set([1, kernelId(algorithm), LG_BLOCKSIZE]);
  }

  /** Appends data, any amount of it. */
  update(chunk: Uint8Array): this {
    if (this.#digest !== undefined) throw new ComposefsError('HASHER_ENDED', 'cannot add data after the digest');
    let position = this.#fillPartial(chunk);
    if (chunk.length - position >= VERITY_BLOCK_SIZE) {
      this.#source = chunk;
      const place = this.#blockHash.placeOf(chunk);
      for (; chunk.length - position >= VERITY_BLOCK_SIZE; position += VERITY_BLOCK_SIZE) {
        this.#pushBlock(place, position);
      }
      this.#source = undefined;
    }
    if (position < chunk.length) this.#partial.bytes.set(position === 0 ? chunk : chunk.subarray(position));
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
    this.#digest ??= this.#hashDescriptor();
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
    this.#partial.bytes.set(taken === chunk.length ? chunk : chunk.subarray(0, taken), begun);
    if (begun + taken === VERITY_BLOCK_SIZE) this.#pushBlock(this.#partial.place, 0);
    return taken;
  }

  /** Adds the hash of a block to the lowest level, or to that of `depth`; blocks that become full go up. */
  #pushBlock(place: Place, position: number, depth = 0): void {
    const level = this.#level(depth);
    this.#blockHash.hash(place, position, VERITY_BLOCK_SIZE, level.place, level.used);
    this.#added(level, depth);
  }

  #added(level: TreeLevel, depth: number): void {
    level.used += this.#digestSize;
    if (level.used < VERITY_BLOCK_SIZE) return;
    level.used = 0;
    this.#pushBlock(level.place, 0, depth + 1);
  }

  #pushZeroBlocks(count: number): void {
    if (this.#digest !== undefined) throw new ComposefsError('HASHER_ENDED', 'cannot add data after the digest');
    const arity = VERITY_BLOCK_SIZE / this.#digestSize;
    /** At n the hash of the root block of a tree of n levels. */
    const hashes = [this.#hashOf(ZERO_BLOCK)];
    for (let rest = count; rest > 0; ) {
      // The largest whole tree that fits here: nothing may be begun below it.
      let depth = 0;
      let blocks = 1;
      while (this.#level(depth).used === 0 && blocks * arity <= rest) {
        blocks *= arity;
        depth++;
        hashes[depth] ??= this.#hashOf(Buffer.alloc(VERITY_BLOCK_SIZE, hashes[depth - 1]));
      }
      const level = this.#level(depth);
      level.bytes.set(hashes[depth] ?? [], level.used);
      this.#added(level, depth);
      rest -= blocks;
    }
  }

  #hashOf(block: Buffer): Buffer {
    const { bytes, place } = this.#result;
    this.#source = block;
    this.#blockHash.hash(this.#blockHash.placeOf(block), 0, VERITY_BLOCK_SIZE, place, 0);
    this.#source = undefined;
    return Buffer.from(bytes);
  }

  #level(depth: number): TreeLevel {
    let level = this.#levels[depth];
    if (level === undefined) {
      level = new TreeLevel(this.#blockHash);
      this.#levels[depth] = level;
    }
    return level;
  }

  /** Writes the root hash into the descriptor. */
  #writeRoot(): void {
    const { bytes, place } = this.#descriptor;
    if (this.#size === 0) {
      bytes.fill(0, ROOT_HASH);
      return;
    }
    const begun = this.#size % VERITY_BLOCK_SIZE;
    if (begun > 0) {
      this.#partial.bytes.fill(0, begun);
      if (this.#size < VERITY_BLOCK_SIZE) {
        this.#blockHash.hash(this.#partial.place, 0, VERITY_BLOCK_SIZE, place, ROOT_HASH);
        return;
      }
      this.#pushBlock(this.#partial.place, 0);
    }
    for (let depth = 0; ; depth++) {
      const level = this.#level(depth);
      // A level has something above it as soon as one of its blocks was full: one hash at the top is all there is.
      const isTop = depth === this.#levels.length - 1;
      if (isTop && level.used === this.#digestSize) {
        bytes.set(level.bytes.subarray(0, this.#digestSize), ROOT_HASH);
        return;
      }
      if (level.used === 0) continue;
      level.bytes.fill(0, level.used);
      level.used = 0;
      this.#pushBlock(level.place, 0, depth + 1);
    }
  }

  #hashDescriptor(): ObjectId {
    this.#writeRoot();
    const { bytes, place } = this.#descriptor;
    bytes.writeUInt32LE(this.#size % 2 ** 32, 8);
    bytes.writeUInt32LE(Math.floor(this.#size / 2 ** 32), 12);
    this.#blockHash.hash(place, 0, DESCRIPTOR_SIZE, this.#result.place, 0);
    return trustedObjectId(this.#result.bytes.toString('hex'));
  }
}

const DESCRIPTOR_SIZE = 256;
/** Where the descriptor has it. */
const ROOT_HASH = 16;
const ZERO_BLOCK: Buffer = Buffer.alloc(VERITY_BLOCK_SIZE);

/** A buffer with its place. The memory of an `ArrayBuffer` is off the heap, where V8 does not move it. */
class Memory {
  readonly bytes: Buffer;
  readonly place: Place;

  constructor(size: number, hash: BlockHash) {
    this.bytes = Buffer.from(new ArrayBuffer(size));
    this.place = hash.placeOf(this.bytes);
  }
}

class TreeLevel extends Memory {
  /** Bytes of the block that hold hashes. */
  used = 0;

  constructor(hash: BlockHash) {
    super(VERITY_BLOCK_SIZE, hash);
  }
}
