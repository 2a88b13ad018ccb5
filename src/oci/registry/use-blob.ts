import { ContextError, errorCode } from '../../errors.js';
import { RegistryError } from '../model/registry-error.js';
import { BlobDownload, type BlobDownloadOptions } from './blob-download.js';
import { removePartial } from './partial-store.js';
import type { RegistryLocation } from './registry-location.js';

/** Bytes by where they came from. */
export interface Transfer {
  /** Over the network. */
  readonly fetchedBytes: number;
  /** From what an earlier pull had received and kept. */
  readonly resumedBytes: number;
}

/**
 * Downloads a blob and runs `use` on its bytes, which checks them. Where they turn out wrong, what is kept of them is
 * removed; and `use` is run again if they came from the disk, or from a mirror beside which there are others.
 */
export async function useBlob<T>(
  location: RegistryLocation,
  options: BlobDownloadOptions,
  use: (chunks: AsyncGenerator<Buffer>) => Promise<T>,
): Promise<{ result: T; transfer: Transfer }> {
  let fetchedBefore = 0;
  for (let current = location; ; ) {
    const { download, outcome } = await tryBlob(current, options, use);
    const fetchedBytes = fetchedBefore + download.fetchedBytes;
    if ('result' in outcome)
      return { result: outcome.result, transfer: { fetchedBytes, resumedBytes: download.resumedBytes } };
    const { error } = outcome;
    options.signal?.throwIfAborted();
    if (!isAboutContent(error)) throw error;
    if (location.partial !== undefined) removePartial(location.partial, location.digest);
    const endpoints = current.endpoints.filter(({ host }) => !download.servedBy.includes(host));
    if (download.resumedBytes > 0) {
      const { partial: _, ...afresh } = current;
      current = afresh;
    } else if (endpoints.length > 0 && endpoints.length < current.endpoints.length) {
      current = { ...current, endpoints };
    } else {
      throw inParts(download, location, error);
    }
    fetchedBefore = fetchedBytes;
  }
}

async function tryBlob<T>(
  location: RegistryLocation,
  options: BlobDownloadOptions,
  use: (chunks: AsyncGenerator<Buffer>) => Promise<T>,
): Promise<{ download: BlobDownload; outcome: { result: T } | { error: unknown } }> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const download = new BlobDownload(location, { ...options, signal });
  const chunks = download.chunks();
  try {
    return { download, outcome: { result: await use(chunks) } };
  } catch (error) {
    return { download, outcome: { error } };
  } finally {
    // Somebody may still wait for the network on behalf of a reader that is gone. Ends the lock on what is kept, too.
    stop.abort();
    await chunks.return(undefined).catch(() => undefined);
  }
}

/** Bytes that make no sense, as a tar or otherwise, may be the right ones in the wrong place. */
function inParts({ servedBy }: BlobDownload, { digest }: RegistryLocation, error: unknown): unknown {
  if (servedBy.length < 2) return error;
  const hosts = [...new Set(servedBy)].join(', ');
  return new ContextError(
    `Blob ${digest} came from ${hosts} in ${servedBy.length} parts, which may not fit together`,
    error,
  );
}

/** Not the network and not this machine: what came is not what it should be. */
function isAboutContent(error: unknown): boolean {
  return !(error instanceof RegistryError) && !/^E[A-Z0-9]+$/.test(errorCode(error));
}
