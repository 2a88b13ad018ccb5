import { createGunzip, gunzipSync } from 'node:zlib';
import { errorCode } from '../errors.js';
import { invalidData, trailingData, truncatedData } from './stream/compression-error.js';
import type { ReadAhead } from './stream/read-ahead.js';
import { chunkSizeFor, pump } from './stream/zlib-stream.js';

/**
 * Decodes gzip data with all its members (RFC 1952), checking CRC and length of each. Zero padding after the last
 * member is allowed, as gzip(1) allows it; anything else there is an error.
 *
 * @param inputSize in bytes, as far as it is known.
 */
export async function* gunzip(input: ReadAhead, inputSize: number = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
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
