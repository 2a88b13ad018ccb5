import { BLOCK_BITS } from './constants.js';

/** Bits 0 to 4 of the chunk format: the largest chunk is 2^43 bytes. */
const CHUNK_FORMAT_MAX = 31;
const CHUNK_SIZE_MAX: number = 2 ** (CHUNK_FORMAT_MAX + BLOCK_BITS);
/** What fits in the one block to which a chunk array is moved: files up to 2^53 bytes. */
export const CHUNKS_MAX = 1024;
export const CHUNK_ADDRESS_SIZE = 4;
/** Of a chunk whose data is not in the image. */
export const NULL_CHUNK_ADDRESS = 0xffff_ffff;

/** How a file without data in the image is cut up (spec 20 §3.10). */
export interface ChunkPlan {
  /** log2 of the chunk size, less 12. */
  readonly format: number;
  readonly count: number;
}

/** The smallest power of two that holds the file, within 2^12 to 2^43: one chunk for nearly every size. */
export function planChunks(size: number): ChunkPlan {
  const bits = size <= 1 ? 1 : bitLength(size - 1);
  const format = Math.min(Math.max(bits - BLOCK_BITS, 0), CHUNK_FORMAT_MAX);
  // A chunk of less than the largest size was chosen to hold the file. Powers are dear where V8 has not optimized yet.
  if (format < CHUNK_FORMAT_MAX) return { format, count: size === 0 ? 0 : 1 };
  return { format, count: Math.ceil(size / CHUNK_SIZE_MAX) };
}

function bitLength(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
}
