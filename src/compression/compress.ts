import { createGzip } from 'node:zlib';
import { ComposefsError } from '../errors.js';
import type { CompressionFormat } from './decompress.js';
import { pump, ZLIB_CHUNK_SIZE } from './stream/zlib-stream.js';
import { loadZstdEncode } from './zstd/encode.js';

export interface CompressionChoice {
  readonly format: CompressionFormat;
  /** gzip: 1 to 9, default 6. Zstandard: 1 to 22, default 3. Nothing else has levels. */
  readonly level?: number | undefined;
}

const LEVELS: Readonly<Record<CompressionFormat, { readonly max: number; readonly standard: number }>> = {
  none: { max: 0, standard: 0 },
  gzip: { max: 9, standard: 6 },
  zstd: { max: 22, standard: 3 },
};

/**
 * @returns the level to compress with.
 * @throws ComposefsError `INVALID_COMPRESSION_LEVEL` for one that the format does not have.
 */
export function compressionLevel({ format, level }: CompressionChoice): number {
  const { max, standard } = LEVELS[format];
  if (level === undefined) return standard;
  if (Number.isInteger(level) && level >= 1 && level <= max) return level;
  const range = max === 0 ? 'it has no levels' : `it has the levels 1 to ${max}`;
  throw new ComposefsError('INVALID_COMPRESSION_LEVEL', `no level ${level} of the compression '${format}': ${range}`);
}

/**
 * Compresses the concatenation of `chunks`: one gzip member without name and time, or one Zstandard frame. The same
 * input gives the same bytes: of Zstandard everywhere, since the encoder is always libzstd 1.5.7; of gzip with the same
 * release of Node.js, whose zlib it is.
 *
 * A chunk is used up when the next one is asked for.
 */
export async function* compress(chunks: Iterable<Buffer>, choice: CompressionChoice): AsyncGenerator<Buffer> {
  const level = compressionLevel(choice);
  switch (choice.format) {
    case 'none':
      yield* chunks;
      return;
    case 'gzip':
      yield* gzip(chunks, level);
      return;
    case 'zstd':
      yield* (await loadZstdEncode(level))(chunks);
  }
}

async function* gzip(chunks: Iterable<Buffer>, level: number): AsyncGenerator<Buffer> {
  const input = chunks[Symbol.iterator]();
  try {
    yield* pump(createGzip({ level, chunkSize: ZLIB_CHUNK_SIZE }), async () => {
      const next = input.next();
      return next.done === true ? undefined : next.value;
    });
  } finally {
    input.return?.();
  }
}
