import * as zlib from 'node:zlib';
import { errorCode } from '../errors.js';
import { invalidData, truncatedData } from './stream/compression-error.js';
import { decodeAhead } from './stream/decode-ahead.js';
import type { ReadAhead } from './stream/read-ahead.js';
import { chunkSizeFor, pump, ZLIB_CHUNK_SIZE, type ZlibStream } from './stream/zlib-stream.js';
import { ZstdDecoder } from './zstd/decode.js';
import { type FramePart, ZstdFrameSplitter } from './zstd/frame.js';
import type { LibZstd } from './zstd/libzstd.js';

/** `ZSTD_d_windowLogMax`, and the limit of libzstd itself. */
const ZSTD_D_WINDOW_LOG_MAX = 100;
const WINDOW_LOG_MAX = 27;

/**
 * Decodes with libzstd on the thread pool: one piece is decoded while the caller works on the one before.
 *
 * @param inputSize in bytes, as far as it is known.
 */
export async function* unzstdNative(
  input: ReadAhead,
  library: LibZstd,
  inputSize: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  const decoder = library.createDecoder();
  let chunk: Buffer | undefined;
  let position = 0;
  let frameDone = false;

  const fill = async (output: Buffer): Promise<number> => {
    let filled = 0;
    while (filled < output.length) {
      if (chunk === undefined) {
        chunk = await input.next();
        position = 0;
        if (chunk === undefined) break;
      }
      const step = await decoder.stepAsync(chunk, position, output, filled);
      position = step.inputEnd;
      filled = step.outputEnd;
      frameDone = step.frameDone;
      // With room left in the output, or at the end of a frame, libzstd holds nothing back of the input that it has taken.
      if (position === chunk.length && (filled < output.length || frameDone)) chunk = undefined;
    }
    return filled;
  };

  yield* decodeAhead(chunkSizeFor(inputSize), fill, () => decoder.free());
  if (!frameDone) throw truncatedData('zstd');
}

/** Decodes a whole input with libzstd, at once; undefined if it becomes more than `maxOutput` bytes. */
export function unzstdSmall(data: Buffer, library: LibZstd, maxOutput: number): Buffer | undefined {
  const decoder = library.createDecoder();
  try {
    let output = Buffer.allocUnsafeSlow(chunkSizeFor(data.length));
    for (let position = 0, filled = 0; ; ) {
      const step = decoder.step(data, position, output, filled);
      [position, filled] = [step.inputEnd, step.outputEnd];
      if (step.frameDone && position === data.length) return output.subarray(0, filled);
      if (filled < output.length && position === data.length) throw truncatedData('zstd');
      if (filled < output.length) continue;
      if (output.length >= maxOutput) return undefined;
      output = Buffer.concat([output], 2 * output.length);
    }
  } finally {
    decoder.free();
  }
}

/** `zlib.createZstdDecompress`, which Node has from 22.15 on. It stops after one frame, at least up to Node 24. */
export type CreateZstdStream = () => ZlibStream;

export function zlibZstd(): CreateZstdStream | null {
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress');
  if (typeof create !== 'function') return null;
  return () =>
    create({ chunkSize: ZLIB_CHUNK_SIZE, params: { [ZSTD_D_WINDOW_LOG_MAX]: WINDOW_LOG_MAX } }) satisfies ZlibStream;
}

/** Decodes with node:zlib, one stream per frame. */
export async function* unzstdZlib(input: ReadAhead, create: CreateZstdStream): AsyncGenerator<Buffer> {
  const parts = frameParts(input);
  for (let first = await parts.next(); first.done !== true; first = await parts.next()) {
    let waiting: FramePart | undefined = first.value;
    let ended = false;
    // A part is in the memory of a chunk, which is used again when others are asked for: not before this one was decoded.
    const next = async (): Promise<Buffer | undefined> => {
      if (ended) return undefined;
      const part = waiting ?? (await parts.next()).value;
      waiting = undefined;
      ended = part === undefined || part.last;
      return part?.data;
    };
    try {
      yield* pump(create(), next);
    } catch (error) {
      throw errorCode(error).startsWith('ZSTD_') && error instanceof Error
        ? invalidData('zstd', error.message, error)
        : error;
    }
  }
}

async function* frameParts(input: ReadAhead): AsyncGenerator<FramePart, undefined> {
  const splitter = new ZstdFrameSplitter();
  for (let chunk = await input.next(); chunk !== undefined; chunk = await input.next()) yield* splitter.push(chunk);
  splitter.finish();
  return undefined;
}

/** Decodes on the calling thread. */
export async function* unzstdSync(input: ReadAhead): AsyncGenerator<Buffer> {
  const decoder = new ZstdDecoder();
  try {
    for (let chunk = await input.next(); chunk !== undefined; chunk = await input.next()) yield* decoder.push(chunk);
    decoder.finish();
  } finally {
    decoder.close();
  }
}
