import type { MessagePort } from 'node:worker_threads';
import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import type { ComponentId } from '../../../progress.js';
import { receiveChunks } from '../../../threads/chunk-channel.js';
import type { TaskContext } from '../../../threads/tasks.js';
import type { FileLocation } from '../../blob/blob-location.js';
import type { Descriptor } from '../../model/descriptor.js';
import type { OciDigest } from '../../model/digest.js';
import { type LayerLimits, tarLimits } from '../../model/layer-limits.js';
import { isTarLayer, requireTarMediaType } from '../../model/media-types.js';
import { HelpedQueue } from './helped-queue.js';
import { type NamingTimes, nameObjects } from './name-objects.js';
import { directQueue, type ObjectQueue } from './object-queue.js';
import {
  type BlobContent,
  decompressByContent,
  decompressSmallBlob,
  readSmallBlob,
  readVerified,
} from './read-blob.js';
import { type StoredLayer, storeBlob, storeTar, storeWholeTar } from './store-tar.js';

/** What a thread makes a layer of: a `LayerContent` on its way there. */
export type ThreadContent =
  | { readonly kind: 'file'; readonly location: FileLocation }
  | { readonly kind: 'port'; readonly port: MessagePort };

/** One layer to store, wherever its content comes from. */
export interface LayerInput {
  /** What the content is. */
  readonly descriptor: Descriptor;
  /** The diff_id; the blob's digest for a layer of an artifact that is not a tar. Names the layer in progress events. */
  readonly key: OciDigest;
  /** Whether the image is a container image, whose layers are all tars with diff_ids. */
  readonly isContainer: boolean;
  /** Bytes of the blob that an earlier pull has received. */
  readonly keptBytes: number;
  readonly limits: LayerLimits | undefined;
}

/** Everything from the blob to the splitstream. */
export interface StoreLayerInput extends LayerInput {
  readonly store: ObjectStoreOptions;
  readonly content: ThreadContent;
  /** Brings ports to threads that help with this layer, at any time; undefined where none do. */
  readonly helpers: MessagePort | undefined;
}

/** A layer that this process has stored: its objects have their names, it has none yet. */
export interface NewLayer extends StoredLayer {
  readonly times: NamingTimes;
}

/**
 * Reads a layer's blob, checks its size and digest, decompresses, checks the diff_id, splits and stores. The layer itself
 * gets no name: the caller gives it when all checks have passed.
 *
 * One sync serves all the layer's objects, those too that other threads have stored: it brings their data to disk before
 * they get their names.
 */
export async function storeLayer(input: StoreLayerInput, context: TaskContext): Promise<NewLayer> {
  const { content, helpers } = input;
  reportStart(input, context);
  const objects = new ObjectStore(input.store);
  objects.deferNames();
  const helped = helpers === undefined ? undefined : new HelpedQueue(objects);
  helpers?.on('message', (port: MessagePort) => helped?.addHelper(port));
  const queue = helped ?? directQueue(objects);
  try {
    const blob =
      content.kind === 'file'
        ? content
        : ({ kind: 'chunks', chunks: receiveChunks(content.port, context.signal) } as const);
    const layer = await storeContent(objects, queue, input, blob, context);
    return { ...layer, times: await nameObjects(objects, helped) };
  } finally {
    helpers?.close();
    helped?.close();
    objects.dropUnnamed();
  }
}

/** {@link storeLayer} without the names of the objects. */
export async function storeContent(
  objects: ObjectStore,
  queue: ObjectQueue,
  { descriptor, key, isContainer, limits }: LayerInput,
  content: BlobContent,
  context: TaskContext,
): Promise<StoredLayer> {
  const { mediaType } = descriptor;
  const { signal } = context;
  if (isContainer) requireTarMediaType(mediaType);
  const report = reportProgress(key, descriptor.size, context);
  const whole = await readSmallBlob(content, descriptor, report);
  const blob = whole === undefined ? readVerified(content, descriptor, report) : pieceOf(whole);
  if (!isContainer && !isTarLayer(mediaType)) return await storeBlob(objects, blob, signal);
  // What is its own uncompressed form is not compressed, whatever it looks like.
  const isPlain = isContainer && key === descriptor.digest;
  const diffId = isContainer ? key : undefined;
  const options = { limits: tarLimits(limits, descriptor.size), isVerified: isPlain };
  const small = whole === undefined || isPlain ? whole : decompressSmallBlob(whole);
  if (small !== undefined) return await storeWholeTar(objects, diffId, small, options);
  const tar = isPlain ? blob : decompressByContent(blob, descriptor.size);
  return await storeTar(objects, diffId, tar, { ...options, signal, queue });
}

async function* pieceOf(whole: Buffer): AsyncGenerator<Buffer> {
  yield whole;
}

export function reportStart({ descriptor, key, keptBytes }: LayerInput, { report }: TaskContext): void {
  const present = keptBytes > 0 ? { present: keptBytes } : {};
  report({ type: 'started', id: key, total: descriptor.size, ...present, unit: 'bytes' });
}

const PROGRESS_INTERVAL_MS = 50;

/** Reports the bytes received, not more often than people and message ports can use; always the last. */
export function reportProgress(id: ComponentId, total: number, context: TaskContext): (received: number) => void {
  let reportedAt = 0;
  return (fetched) => {
    const now = performance.now();
    if (fetched < total && now - reportedAt < PROGRESS_INTERVAL_MS) return;
    reportedAt = now;
    context.report({ type: 'progress', id, fetched, total });
  };
}
