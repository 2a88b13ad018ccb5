import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  COMPRESSION_MAGIC_BYTES,
  type CompressionFormat,
  decompress,
  decompressSmall,
  readableCompression,
  SMALL_INPUT,
} from '../../../compression/decompress.js';
import { readFileBlob, readLocation } from '../../blob/blob-file.js';
import type { FileLocation } from '../../blob/blob-location.js';
import { BlobVerifier, verifiedBlob } from '../../blob/verified-read.js';
import type { Descriptor } from '../../model/descriptor.js';

/** Where the bytes of a blob come from in the thread that makes a layer of them. */
export type BlobContent =
  | { readonly kind: 'file'; readonly location: FileLocation }
  /** Read once. */
  | { readonly kind: 'chunks'; readonly chunks: AsyncIterable<Buffer> | Iterable<Buffer> }
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

/**
 * All of a blob that is small or in memory already; undefined of another one.
 *
 * @param onBytes told how many bytes were received in all.
 * @throws BlobError unless size and digest are those of the descriptor.
 */
export async function readSmallBlob(
  content: BlobContent,
  descriptor: Descriptor,
  onBytes: (received: number) => void,
): Promise<Buffer | undefined> {
  const bytes = await smallContent(content, descriptor);
  if (bytes === undefined) return undefined;
  verifiedBlob(bytes, descriptor);
  if (content.kind !== 'bytes') onBytes(bytes.length);
  return bytes;
}

async function smallContent(content: BlobContent, descriptor: Descriptor): Promise<Buffer | undefined> {
  if (content.kind === 'bytes') return content.bytes;
  if (descriptor.size > SMALL_INPUT) return undefined;
  if (content.kind === 'chunks') return await gather(content.chunks, descriptor);
  const { location } = content;
  const isWhole = location.compression === undefined && location.size <= SMALL_INPUT;
  return isWhole ? Buffer.concat([...readLocation(location)]) : undefined;
}

/**
 * A copy of what comes. Ends when it is more than the blob.
 *
 * @param onBytes told how many bytes were received in all.
 */
export async function gather(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  { size }: Descriptor,
  onBytes: (received: number) => void = () => undefined,
): Promise<Buffer> {
  const copies: Buffer[] = [];
  let received = 0;
  for await (const chunk of chunks) {
    copies.push(Buffer.from(chunk));
    received += chunk.length;
    if (received > size) break;
    onBytes(received);
  }
  return Buffer.concat(copies);
}

/**
 * The blob's bytes; ends with an error unless size and digest are those of the descriptor.
 *
 * @param onBytes told how many bytes were received in all.
 */
export async function* readVerified(
  content: BlobContent,
  descriptor: Descriptor,
  onBytes: (received: number) => void,
): AsyncGenerator<Buffer> {
  const verifier = new BlobVerifier(descriptor);
  let received = 0;
  for await (const chunk of chunksOf(content)) {
    // Where neither source nor decoder waits for anything, the message that asks to stop would never be read.
    await nextTurn();
    const verified = verifier.updateBeside(chunk);
    received += chunk.length;
    yield chunk;
    await verified;
    onBytes(received);
  }
  verifier.finish();
}

function chunksOf(content: BlobContent): AsyncIterable<Buffer> | Iterable<Buffer> {
  switch (content.kind) {
    case 'file':
      return readFileBlob(content.location);
    case 'chunks':
      return content.chunks;
    case 'bytes':
      return [content.bytes];
  }
}

/** What a whole blob is when it is decompressed; undefined of one that is too large, or becomes it, for doing so at once. */
export function decompressSmallBlob(blob: Buffer): Buffer | undefined {
  return decompressSmall(blob, formatOf(blob.subarray(0, COMPRESSION_MAGIC_BYTES)));
}

/** Decompresses a blob of so many bytes by its magic number. */
export async function* decompressByContent(
  blob: AsyncIterator<Buffer> & AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<Buffer> {
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
  yield* decompress(whole(), formatOf(start), size);
}

function formatOf(start: Buffer): CompressionFormat {
  return readableCompression(start, 'Layers may be gzip or Zstandard: pull the image with podman and push it again.');
}
