import type { MessagePort } from 'node:worker_threads';
import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import type { ComponentId } from '../../../progress.js';
import { receiveChunks } from '../../../threads/chunk-channel.js';
import type { TaskContext } from '../../../threads/tasks.js';
import { readFileBlob } from '../../blob/blob-file.js';
import type { FileLocation } from '../../blob/blob-location.js';
import type { Descriptor } from '../../model/descriptor.js';
import type { OciDigest } from '../../model/digest.js';
import { type LayerLimits, tarLimits } from '../../model/layer-limits.js';
import { isTarLayer, requireTarMediaType } from '../../model/media-types.js';
import { HelpedQueue } from './helped-queue.js';
import { type NamingTimes, nameObjects } from './name-objects.js';
import { directQueue, type ObjectQueue } from './object-queue.js';
import { decompressByContent, readVerified } from './read-blob.js';
import { type StoredLayer, storeBlob, storeTar } from './store-tar.js';

/** What a thread makes a layer of: a `LayerContent` on its way there. */
export type ThreadContent =
  | { readonly kind: 'file'; readonly location: FileLocation }
  | { readonly kind: 'port'; readonly port: MessagePort };

/** One layer to store: everything from the blob to the splitstream. */
export interface StoreLayerInput {
  readonly store: ObjectStoreOptions;
  readonly content: ThreadContent;
  /** What the content is. */
  readonly descriptor: Descriptor;
  /** The diff_id; the blob's digest for a layer of an artifact that is not a tar. Names the layer in progress events. */
  readonly key: OciDigest;
  /** Whether the image is a container image, whose layers are all tars with diff_ids. */
  readonly isContainer: boolean;
  /** Bytes of the blob that an earlier pull has received. */
  readonly keptBytes: number;
  readonly limits: LayerLimits | undefined;
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
  const { descriptor, key, keptBytes, helpers } = input;
  const { report } = context;
  const present = keptBytes > 0 ? { present: keptBytes } : {};
  report({ type: 'started', id: key, total: descriptor.size, ...present, unit: 'bytes' });
  const objects = new ObjectStore(input.store);
  objects.deferNames();
  const helped = helpers === undefined ? undefined : new HelpedQueue(objects);
  helpers?.on('message', (port: MessagePort) => helped?.addHelper(port));
  const queue = helped ?? directQueue(objects);
  try {
    const blob = readVerified(descriptor, open(input.content, context), reportProgress(key, descriptor.size, context));
    const layer = await storeContent(objects, queue, input, blob, context.signal);
    return { ...layer, times: await nameObjects(objects, helped) };
  } finally {
    helpers?.close();
    helped?.close();
    objects.dropUnnamed();
  }
}

function open(content: ThreadContent, { signal }: TaskContext): AsyncIterable<Buffer> | Iterable<Buffer> {
  switch (content.kind) {
    case 'file':
      return readFileBlob(content.location);
    case 'port':
      return receiveChunks(content.port, signal);
  }
}

async function storeContent(
  objects: ObjectStore,
  queue: ObjectQueue,
  { descriptor, key, isContainer, limits }: StoreLayerInput,
  blob: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<StoredLayer> {
  const { mediaType } = descriptor;
  if (!isContainer && !isTarLayer(mediaType)) return await storeBlob(objects, blob, signal);
  if (isContainer) requireTarMediaType(mediaType);
  // What is its own uncompressed form is not compressed, whatever it looks like.
  const isPlain = isContainer && key === descriptor.digest;
  const tar = isPlain ? blob : decompressByContent(blob, descriptor.size);
  const options = { signal, queue, limits: tarLimits(limits, descriptor.size), isVerified: isPlain };
  return await storeTar(objects, isContainer ? key : undefined, tar, options);
}

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
