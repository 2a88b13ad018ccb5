import { closeSync, constants, openSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { ImportContext } from '../../../composefs/repository/objects/import-file.js';
import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import { errorCode } from '../../../errors.js';
import { ContainerStore, rebuildTar, requireUnchangedFiles } from '../../../storage/index.js';
import { MountCopy } from '../../../system/mount-copy.js';
import { mountIdOf } from '../../../system/mount-info.js';
import type { TaskContext } from '../../../threads/tasks.js';
import type { StoreLocation } from '../../blob/store-location.js';
import type { OciDigest } from '../../model/digest.js';
import { type LayerLimits, tarLimits } from '../../model/layer-limits.js';
import { FileBatch, filesOfBatch } from './file-batch.js';
import { FileQueue } from './file-queue.js';
import { FileSink } from './file-sink.js';
import { HelpedQueue } from './helped-queue.js';
import { nameObjects } from './name-objects.js';
import type { NewLayer } from './store-layer.js';
import { type PushedTar, storePushedTar } from './store-tar.js';

/** One layer to store of the files that it was unpacked to. */
export interface StoreFilesInput {
  readonly store: ObjectStoreOptions;
  readonly location: StoreLocation;
  readonly diffId: OciDigest;
  /** Bytes of the blob in the manifest, which progress is told in. */
  readonly blobSize: number;
  readonly limits: LayerLimits | undefined;
  /** Brings ports to threads that help with this layer, at any time. */
  readonly helpers?: MessagePort | undefined;
}

/** Files that wait for a thread that helps are open. */
const WAITING_BATCHES = 2;

/** How many bytes are read between two reports. */
const REPORT_BYTES = 16 << 20;

/**
 * Stores a layer that a store of containers/storage has unpacked (spec 60 §11.3, §12): its large files become objects by
 * the cheapest way there is, and the splitstream is that of its tar, whose digest is checked. The layer itself gets no
 * name.
 *
 * @throws StoreError `LAYER_FILE_CHANGED` with the names of files that are not those of the layer; what storePushedTar throws.
 */
export async function storeFiles(input: StoreFilesInput, context: TaskContext): Promise<NewLayer> {
  const { diffId, blobSize, limits } = input;
  const { layerId, zeroCopy, mayChange, tarSize = blobSize } = input.location;
  const { signal, report } = context;
  report({ type: 'started', id: diffId, total: blobSize, unit: 'bytes' });
  // As if the blob were read at an even pace.
  const onRead = (bytes: number): void => {
    const fetched = tarSize === 0 ? blobSize : Math.min(blobSize, Math.floor((bytes / tarSize) * blobSize));
    report({ type: 'progress', id: diffId, fetched, total: blobSize });
  };
  return await withLinkableView(input, async (store, options) => {
    const objects = new ObjectStore(options);
    objects.deferNames();
    const sink = new FileSink(objects, new ImportContext({ zeroCopy, mayChange }));
    const helped = new HelpedQueue(sink, { objects: filesOfBatch(), waiting: WAITING_BATCHES });
    // A thread that helps has the repository as it was given, and cannot link from another view of it.
    if (options === input.store) input.helpers?.on('message', (port: MessagePort) => helped.addHelper(port));
    try {
      const queue = new FileQueue(objects, sink, helped);
      const layer = await storePushedTar(objects, diffId, { queue, limits: tarLimits(limits) }, (tar) =>
        pushRebuilt(store, layerId, new FileBatch(queue, reporting(tar, onRead), signal), signal),
      );
      return { ...layer, times: await nameObjects(objects, helped) };
    } catch (error) {
      await helped.dropFiles();
      // It takes a second pass to tell which files are to blame.
      if (errorCode(error) === 'DIFF_ID_MISMATCH') await requireUnchangedFiles(store, layerId, signal);
      throw error;
    } finally {
      input.helpers?.close();
      helped.close();
      objects.dropUnnamed();
    }
  });
}

async function pushRebuilt(
  store: ContainerStore,
  layerId: string,
  batch: FileBatch,
  signal: AbortSignal,
): Promise<void> {
  try {
    await rebuildTar(store, layerId, batch, signal);
    batch.flush();
  } finally {
    batch.close();
  }
}

function reporting(tar: PushedTar, onRead: (bytes: number) => void): PushedTar {
  let read = 0;
  let reported = 0;
  const report = (chunk: Buffer): void => {
    read += chunk.length;
    if (read < reported + REPORT_BYTES) return;
    reported = read;
    onRead(read);
  };
  return {
    push: (chunk) => {
      tar.push(chunk);
      report(chunk);
    },
    pushBeside: async (chunk) => {
      await tar.pushBeside(chunk);
      report(chunk);
    },
  };
}

/**
 * Runs `action` with the store, and with the repository. podman mounts the directory of the layers on itself while
 * containers run; then both are reached by a copy of the mount on which they lie, in which that is not so, if this process
 * may make one: else no file could be linked.
 */
async function withLinkableView<T>(
  { location, store: options }: Pick<StoreFilesInput, 'location' | 'store'>,
  action: (store: ContainerStore, options: ObjectStoreOptions) => Promise<T>,
): Promise<T> {
  const store = new ContainerStore(location);
  try {
    const { fd } = options.root;
    const copy = store.isMountedOver && mountIdOf(store.fd) === mountIdOf(fd) ? tryMountCopy(fd) : undefined;
    if (copy === undefined) return await action(store, options);
    try {
      return await inMountCopy(copy, store, location, options, action);
    } finally {
      copy.close();
    }
  } finally {
    store.close();
  }
}

async function inMountCopy<T>(
  copy: MountCopy,
  store: ContainerStore,
  location: StoreLocation,
  options: ObjectStoreOptions,
  action: (store: ContainerStore, options: ObjectStoreOptions) => Promise<T>,
): Promise<T> {
  const storePath = copy.pathOf(store.fd);
  const repositoryPath = copy.pathOf(options.root.fd);
  if (storePath === undefined || repositoryPath === undefined) return await action(store, options);
  const copied = new ContainerStore(location, storePath);
  try {
    const fd = openSync(repositoryPath, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return await action(copied, { ...options, root: { ...options.root, fd } });
    } finally {
      closeSync(fd);
    }
  } finally {
    copied.close();
  }
}

function tryMountCopy(fd: number): MountCopy | undefined {
  try {
    return MountCopy.of(fd);
  } catch {
    // Who may not make one does without: the files are copied.
    return undefined;
  }
}
