import type { Transform } from 'node:stream';

/** Buffer size of decompression: large, since every piece is a trip to the thread pool and back. */
export const ZLIB_CHUNK_SIZE: number = 512 * 1024;
const SMALLEST_CHUNK_SIZE = 64 * 1024;
/** What hardly anything is compressed better than. */
const USUAL_RATIO = 8;

/**
 * The buffer size for an input of so many bytes. An image may have hundreds of layers of a few kilobytes: memory for much
 * more than them makes garbage, which took a tenth of the time of a pull of 200.
 */
export function chunkSizeFor(inputSize: number): number {
  return Math.min(Math.max(USUAL_RATIO * inputSize, SMALLEST_CHUNK_SIZE), ZLIB_CHUNK_SIZE);
}

/** A decompressor of node:zlib. */
export interface ZlibStream extends Transform {
  /** Bytes of input that were used. */
  readonly bytesWritten: number;
}

/**
 * Feeds a node:zlib stream and yields its output. node:zlib works on the thread pool, so it decodes the next piece
 * while the caller works on the one before.
 *
 * `next` gives the input, undefined at its end. Returns what is left of a chunk if the stream ended inside it.
 */
export async function* pump(
  stream: ZlibStream,
  next: () => Promise<Buffer | undefined>,
): AsyncGenerator<Buffer, Buffer | undefined> {
  let current: Buffer | undefined;
  let usedBefore = 0;
  const feed = async (): Promise<void> => {
    for (;;) {
      const chunk = await next();
      if (stream.destroyed || chunk === undefined) break;
      current = chunk;
      usedBefore = stream.bytesWritten;
      const error = await new Promise((resolve) => stream.write(chunk, resolve));
      // A stream that ends inside the chunk calls back or not, depending on Node and on what it still had to hand out.
      if (error instanceof Error || stream.bytesWritten - usedBefore < chunk.length) return;
      current = undefined;
    }
    if (!stream.destroyed) stream.end();
  };
  feed().catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    for await (const piece of stream) yield piece;
    return current?.subarray(stream.bytesWritten - usedBefore);
  } finally {
    stream.destroy();
  }
}
