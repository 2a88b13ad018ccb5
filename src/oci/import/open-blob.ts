import { readFileBlob } from '../blob/blob-file.js';
import { readPipe } from '../blob/pipe-blob.js';
import type { Transfer } from '../registry/use-blob.js';
import type { BlobLocation } from '../sources/image-source.js';

export interface OpenBlobOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told why there is a pause. */
  readonly message?: (text: string) => void;
}

/**
 * Opens a blob wherever it is and runs `use` on its bytes, which are the caller's to keep. `use` checks size and
 * digest; it may be run a second time, from the beginning, if it fails on what came.
 */
export async function withBlob<T>(
  location: BlobLocation,
  options: OpenBlobOptions,
  use: (chunks: AsyncIterable<Buffer> | Iterable<Buffer>) => Promise<T>,
): Promise<{ result: T; transfer?: Transfer }> {
  if (location.kind === 'file') return { result: await use(readFileBlob(location)) };
  if (location.kind === 'pipe') return { result: await use(readPipe(location.fd, location.size)) };
  // The network is not needed for files.
  const { useBlob } = await import('../registry/use-blob.js');
  return await useBlob(
    location,
    {
      signal: options.signal,
      observe: (error, delayMs) => options.message?.(`${error.message}; trying again in ${formatDelay(delayMs)}`),
    },
    use,
  );
}

function formatDelay(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
