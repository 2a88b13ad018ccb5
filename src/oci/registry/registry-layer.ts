import { ContextError, errorCode } from '../../errors.js';
import type { DownloadSlots, RunningTransfer } from '../blob/download-slots.js';
import type { LayerBlob, LayerContent, TransferOptions, Transferred } from '../blob/layer-blob.js';
import type { Descriptor } from '../model/descriptor.js';
import { RegistryError } from '../model/registry-error.js';
import { BlobDownload, type BlobDownloadOptions, type RegistryBlob } from './blob-download.js';
import { partialSize, removePartial } from './partial-store.js';

/** What the layers of one image have in common. */
export type RegistryLayerPlace = Omit<RegistryBlob, 'digest' | 'size' | 'urls'>;

/** A layer in a registry. It is not asked whether it has the layer: that would be one more request for each. */
export class RegistryLayer implements LayerBlob {
  readonly #descriptor: Descriptor;
  readonly #place: () => RegistryLayerPlace;
  readonly #slots: DownloadSlots;

  /** @param place asked when it is the layer's turn. */
  constructor(descriptor: Descriptor, place: () => RegistryLayerPlace, slots: DownloadSlots) {
    this.#descriptor = descriptor;
    this.#place = place;
    this.#slots = slots;
  }

  keptBytes(): number {
    const { partial } = this.#place();
    const { digest, size } = this.#descriptor;
    return partial === undefined ? 0 : Math.min(partialSize(partial, digest), size);
  }

  async transfer<T>(
    use: (content: LayerContent) => Promise<T>,
    { signal, message }: TransferOptions,
  ): Promise<Transferred<T>> {
    const descriptor = this.#descriptor;
    const host = this.#place().endpoints[0]?.host ?? '';
    const options: BlobDownloadOptions = {
      signal,
      observe: (error, delayMs) => message(`${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`),
    };
    const download = (transfer: RunningTransfer): Promise<Transferred<T>> => {
      const blob = { digest: descriptor.digest, size: descriptor.size, urls: descriptor.urls, ...this.#place() };
      return useBlob(blob, options, (chunks) => {
        return use({ kind: 'chunks', descriptor, chunks: observed(chunks, descriptor.size, transfer) });
      });
    };
    return await this.#slots.run(host, download, signal);
  }

  stored(): void {
    const { partial } = this.#place();
    if (partial !== undefined) removePartial(partial, this.#descriptor.digest);
  }
}

/** What a fast line brings while the next request is on its way and back. */
const ENDING_BYTES = 1 << 20;

async function* observed(
  chunks: AsyncGenerator<Buffer>,
  size: number,
  transfer: RunningTransfer,
): AsyncGenerator<Buffer> {
  let left = size;
  for await (const chunk of chunks) {
    left -= chunk.length;
    if (left <= ENDING_BYTES) transfer.ending();
    yield chunk;
  }
  transfer.arrived();
}

type UseChunks<T> = (chunks: AsyncGenerator<Buffer>) => Promise<T>;

/**
 * Downloads a blob and runs `use` on its bytes, which checks them. Where they turn out wrong, what is kept of them is
 * removed; and `use` is run again if they came from the disk, or from a mirror beside which there are others.
 */
export async function useBlob<T>(
  blob: RegistryBlob,
  options: BlobDownloadOptions,
  use: UseChunks<T>,
): Promise<Transferred<T>> {
  let fetchedBefore = 0;
  for (let current = blob; ; ) {
    const { download, outcome } = await tryBlob(current, options, use);
    const fetchedBytes = fetchedBefore + download.fetchedBytes;
    if ('result' in outcome)
      return { result: outcome.result, transfer: { fetchedBytes, resumedBytes: download.resumedBytes } };
    const { error } = outcome;
    options.signal?.throwIfAborted();
    if (!isAboutContent(error)) throw error;
    if (blob.partial !== undefined) removePartial(blob.partial, blob.digest);
    const endpoints = current.endpoints.filter(({ host }) => !download.servedBy.includes(host));
    if (download.resumedBytes > 0) {
      current = { ...current, partial: undefined };
    } else if (endpoints.length > 0 && endpoints.length < current.endpoints.length) {
      current = { ...current, endpoints };
    } else {
      throw inParts(download, blob, error);
    }
    fetchedBefore = fetchedBytes;
  }
}

async function tryBlob<T>(
  blob: RegistryBlob,
  options: BlobDownloadOptions,
  use: UseChunks<T>,
): Promise<{ download: BlobDownload; outcome: { result: T } | { error: unknown } }> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const download = new BlobDownload(blob, { ...options, signal });
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
function inParts({ servedBy }: BlobDownload, { digest }: RegistryBlob, error: unknown): unknown {
  if (servedBy.length < 2) return error;
  const hosts = [...new Set(servedBy)].join(', ');
  return new ContextError(
    `Blob ${digest} came from ${hosts} in ${servedBy.length} parts, which may not fit together`,
    error,
  );
}

/** Of a thread that is gone, whatever it was about. */
const THREAD_CODES: ReadonlySet<string> = new Set(['POOL_CLOSED', 'WORKER_EXITED']);

/** Not the network and not this machine: what came is not what it should be. */
function isAboutContent(error: unknown): boolean {
  const code = errorCode(error);
  return !(error instanceof RegistryError) && !THREAD_CODES.has(code) && !/^E[A-Z0-9]+$/.test(code);
}
