import { setImmediate as nextTurn } from 'node:timers/promises';
import { COMPRESSION_MAGIC_BYTES, decompress, readableCompression } from '../../../compression/decompress.js';
import { BlobVerifier } from '../../blob/verified-read.js';
import type { Descriptor } from '../../model/descriptor.js';

/**
 * The blob's bytes; ends with an error unless size and digest are those of the descriptor.
 *
 * @param onChunk told how many bytes were received in all.
 */
export async function* readVerified(
  descriptor: Descriptor,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  onChunk: (received: number) => void,
): AsyncGenerator<Buffer> {
  const verifier = new BlobVerifier(descriptor);
  let received = 0;
  for await (const chunk of chunks) {
    // Where neither source nor decoder waits for anything, the message that asks to stop would never be read.
    await nextTurn();
    const verified = verifier.updateBeside(chunk);
    received += chunk.length;
    yield chunk;
    await verified;
    onChunk(received);
  }
  verifier.finish();
}

/** Decompresses a blob of so many bytes by its magic number. */
export async function* decompressByContent(blob: AsyncGenerator<Buffer>, size: number): AsyncGenerator<Buffer> {
  let start: Buffer = Buffer.alloc(0);
  // A network may deliver less than the magic number at first.
  while (start.length < COMPRESSION_MAGIC_BYTES) {
    const next = await blob.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    if (start.length > 0) yield start;
    yield* blob;
  }
  yield* decompress(whole(), readableCompression(start, UNREADABLE_HINT), size);
}

const UNREADABLE_HINT = 'Layers may be gzip or Zstandard: pull the image with podman and push it again.';
