import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type NamingTimes,
  ObjectStore,
  type ObjectStoreOptions,
  withDeferredNames,
} from '../../composefs/repository/objects/object-store.js';
import { COMPRESSION_MAGIC_BYTES, decompress, readableCompression } from '../../compression/decompress.js';
import type { ComponentId } from '../../progress.js';
import { BlobVerifier } from '../blob/verified-read.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { type LayerLimits, tarLimits } from '../model/layer-limits.js';
import { isTarLayer, requireTarMediaType } from '../model/media-types.js';
import { partialSize } from '../registry/partial-store.js';
import type { Transfer } from '../registry/use-blob.js';
import type { BlobLocation } from '../sources/image-source.js';
import { importTar, type StoredLayer, storeBlob } from './import-tar.js';
import type { SharedObjectBatches } from './object-batches.js';
import { withBlob } from './open-blob.js';
import type { TaskContext } from './task-context.js';

/** One layer to import: everything from the blob to the stored splitstream. */
export interface ImportLayerInput {
  readonly store: ObjectStoreOptions;
  readonly location: BlobLocation;
  readonly descriptor: Descriptor;
  /** The diff_id; the blob's digest for a layer of an artifact that is not a tar. Names the layer in progress events. */
  readonly key: OciDigest;
  /** Whether the image is a container image, whose layers are all tars with diff_ids. */
  readonly isContainer: boolean;
  /** Through which other threads can help. */
  readonly shared: SharedObjectBatches | undefined;
  readonly limits: LayerLimits | undefined;
}

export interface ImportedLayer extends StoredLayer {
  readonly times: NamingTimes;
  /** For a blob from a registry. */
  readonly transfer?: Transfer;
}

/**
 * Reads a layer's blob, checks its size and digest, decompresses, checks the diff_id, splits and stores.
 * Nothing is registered: the caller does that when all checks have passed.
 */
export async function importLayerBlob(input: ImportLayerInput, context: TaskContext): Promise<ImportedLayer> {
  const { location, descriptor, key } = input;
  const { report, signal } = context;
  const present = keptBytes(location);
  const total = descriptor.size;
  report({ type: 'started', id: key, total, ...(present > 0 && { present }), unit: 'bytes' });
  const options = { signal, message: (text: string) => report({ type: 'message', text }) };
  const { result, transfer } = await withBlob(location, options, (chunks) =>
    storeContent(input, readVerified(descriptor, chunks, reportProgress(key, descriptor.size, context)), signal),
  );
  return transfer === undefined ? result : { ...result, transfer };
}

/** What an earlier pull has received and kept of the blob. */
function keptBytes(location: BlobLocation): number {
  if (location.kind !== 'registry' || location.partial === undefined) return 0;
  return Math.min(partialSize(location.partial, location.digest), location.size);
}

async function storeContent(
  input: ImportLayerInput,
  blob: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<ImportedLayer> {
  const store = (objects: ObjectStore): Promise<StoredLayer> => storeLayer(objects, input, blob, signal);
  const { result, times } = await withDeferredNames(input.store, store);
  return { ...result, times: times.syncedAt === undefined ? synced(input.store, times) : times };
}

/** Where objects got their names at once, as with fs-verity, or were all there: a sync for the names. */
function synced(store: ObjectStoreOptions, { namedAt }: NamingTimes): NamingTimes {
  const objects = new ObjectStore(store);
  objects.sync();
  return { namedAt, syncedAt: objects.syncedAt };
}

async function storeLayer(
  objects: ObjectStore,
  { descriptor, key, isContainer, shared, limits }: ImportLayerInput,
  blob: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<StoredLayer> {
  const { mediaType } = descriptor;
  if (!isContainer && !isTarLayer(mediaType)) return await storeBlob(objects, blob, signal);
  if (isContainer) requireTarMediaType(mediaType);
  // What is its own uncompressed form is not compressed, whatever it looks like.
  const tar = isContainer && key === descriptor.digest ? blob : decompressByContent(blob);
  return await importTar(objects, isContainer ? key : undefined, tar, {
    signal,
    shared,
    limits: tarLimits(limits, descriptor.size),
  });
}

/** The blob's bytes; ends with an error unless size and digest are those of the descriptor. */
async function* readVerified(
  descriptor: Descriptor,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  report: (received: number) => void,
): AsyncGenerator<Buffer> {
  const verifier = new BlobVerifier(descriptor);
  let received = 0;
  for await (const chunk of chunks) {
    // Where neither source nor decoder waits for anything, the message that asks to stop would never be read.
    await nextTurn();
    verifier.update(chunk);
    received += chunk.length;
    yield chunk;
    report(received);
  }
  verifier.finish();
}

/** Decompresses by the magic number. */
async function* decompressByContent(blob: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
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
  yield* decompress(whole(), readableCompression(start, UNREADABLE_HINT));
}

const UNREADABLE_HINT = 'Layers may be gzip or Zstandard: pull the image with podman and push it again.';

const PROGRESS_INTERVAL_MS = 50;

/** Reports the bytes received, not more often than people and message ports can use; always the last. */
function reportProgress(id: ComponentId, total: number, context: TaskContext): (received: number) => void {
  let reportedAt = 0;
  return (fetched) => {
    const now = performance.now();
    if (fetched < total && now - reportedAt < PROGRESS_INTERVAL_MS) return;
    reportedAt = now;
    context.report({ type: 'progress', id, fetched, total });
  };
}
