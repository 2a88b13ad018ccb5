import { decompress } from '../../compression/decompress.js';
import { readLocation } from './blob-file.js';
import type { FileLocation } from './blob-location.js';

/** The bytes of the blob at a location, in pieces that are the caller's to keep. */
export function readFileBlob(location: FileLocation): AsyncIterable<Buffer> | Iterable<Buffer> {
  return location.compression === undefined
    ? readLocation(location)
    : decompress(asynchronous(readLocation(location)), location.compression);
}

async function* asynchronous(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* chunks;
}
