import { createGunzip, gunzipSync } from 'node:zlib';
import { errorCode } from '../errors.js';
import { InflateError, type InflateStep, type LibZ, loadLibZ } from './libz.js';
import { invalidData, trailingData, truncatedData } from './stream/compression-error.js';
import { decodeAhead } from './stream/decode-ahead.js';
import type { ReadAhead } from './stream/read-ahead.js';
import { chunkSizeFor, pump } from './stream/zlib-stream.js';

/**
 * Decodes gzip data with all its members (RFC 1952), checking CRC and length of each. Zero padding after the last
 * member is allowed, as gzip(1) allows it; anything else there is an error.
 *
 * @param inputSize in bytes, as far as it is known.
 */
export function gunzip(input: ReadAhead, inputSize: number = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  const library = loadLibZ();
  return library === null ? gunzipStream(input, inputSize) : gunzipNative(input, library, inputSize);
}

/** A second member and those after it may have so many bytes without a way to another thread. */
const SMALL_MEMBER = 16 * 1024;

/** The error of this library for one of zlib, after so many whole members. */
function explainNative(error: InflateError, members: number): unknown {
  if (members > 0 && error.message === 'incorrect header check') return trailingData('gzip');
  return invalidData('gzip', error.message, error);
}

/**
 * With zlib on the thread pool: one piece is decoded while the caller works on the one before, and two buffers take turns. Streams of node:zlib make one for each piece: V8 collects the whole heap for them again and again,
 * and a pull of python:gzip takes 12 % more.
 */
async function* gunzipNative(input: ReadAhead, library: LibZ, inputSize: number): AsyncGenerator<Buffer> {
  const decoder = library.createDecoder();
  let chunk: Buffer | undefined;
  let position = 0;
  let members = 0;
  let isBetween = false;

  const explained = (error: unknown): unknown =>
    error instanceof InflateError ? explainNative(error, members) : error;
  /** Members may be as small as the files of the tar: what is little is decoded here. */
  const beginMember = (chunk: Buffer, output: Buffer, filled: number): InflateStep => {
    decoder.nextMember();
    try {
      return decoder.step(chunk, position, output.subarray(0, filled + SMALL_MEMBER), filled);
    } catch (error) {
      throw explained(error);
    }
  };
  const decode = (chunk: Buffer, output: Buffer, filled: number): Promise<InflateStep> =>
    decoder.stepAsync(chunk, position, output, filled).catch((error: unknown) => {
      throw explained(error);
    });

  const fill = async (output: Buffer): Promise<number> => {
    let filled = 0;
    while (filled < output.length) {
      if (chunk === undefined || position === chunk.length) {
        chunk = await input.next();
        position = 0;
        if (chunk === undefined) break;
      }
      // What begins with zero is padding, and anything else has to be a member.
      if (isBetween && chunk[position] === 0) {
        await requireZerosToTheEnd(chunk.subarray(position), input);
        chunk = undefined;
        break;
      }
      const step = isBetween ? beginMember(chunk, output, filled) : await decode(chunk, output, filled);
      position = step.inputEnd;
      filled = step.outputEnd;
      isBetween = step.memberDone;
      if (isBetween) members++;
    }
    return filled;
  };

  yield* decodeAhead(chunkSizeFor(inputSize), fill, () => decoder.free());
  if (!isBetween) throw truncatedData('gzip');
}

async function requireZerosToTheEnd(first: Buffer, input: ReadAhead): Promise<void> {
  for (let rest: Buffer | undefined = first; rest !== undefined; rest = await input.next()) requireZeros(rest);
}

/** With node:zlib, where zlib cannot be called. */
export async function* gunzipStream(input: ReadAhead, inputSize: number): AsyncGenerator<Buffer> {
  let magic = '';
  const next = async (): Promise<Buffer | undefined> => {
    const chunk = await input.next();
    if (magic.length < 4 && chunk !== undefined) magic += chunk.toString('hex', 0, 2);
    return chunk;
  };
  try {
    // node:zlib goes through the members by itself and stops at a zero byte after one.
    let rest = yield* pump(createGunzip({ chunkSize: chunkSizeFor(inputSize) }), next);
    for (; rest !== undefined; rest = await input.next()) {
      requireZeros(rest);
    }
  } catch (error) {
    throw explain(error, magic.startsWith('1f8b'));
  }
}

/** {@link gunzip} of a whole input, at once; undefined if it becomes more than `maxOutput` bytes. */
export function gunzipSmall(data: Buffer, maxOutput: number): Buffer | undefined {
  try {
    const result: unknown = gunzipSync(data, { info: true, maxOutputLength: maxOutput });
    if (!hasEngine(result)) return undefined;
    requireZeros(data.subarray(result.engine.bytesWritten));
    return result.buffer;
  } catch (error) {
    if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw explain(error, data.toString('hex', 0, 2) === '1f8b');
  }
}

/** What `info` gives, and the types of Node leave out. */
function hasEngine(result: unknown): result is { buffer: Buffer; engine: { bytesWritten: number } } {
  return typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result;
}

function requireZeros(rest: Buffer): void {
  if (rest.some((byte) => byte !== 0)) throw trailingData('gzip');
}

function explain(error: unknown, startedWell: boolean): unknown {
  if (!(error instanceof Error)) return error;
  switch (errorCode(error)) {
    case 'Z_BUF_ERROR':
      return truncatedData('gzip');
    case 'Z_DATA_ERROR':
      // The header check of the first member passed, so it is what follows a member that has no header.
      if (startedWell && error.message === 'incorrect header check') return trailingData('gzip');
      return invalidData('gzip', error.message, error);
    case 'Z_NEED_DICT':
    case 'Z_MEM_ERROR':
    case 'Z_STREAM_ERROR':
      return invalidData('gzip', error.message, error);
    default:
      return error;
  }
}
