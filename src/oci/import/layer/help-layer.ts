import type { MessagePort } from 'node:worker_threads';
import { ImportContext, type ImportOptions } from '../../../composefs/repository/objects/import-file.js';
import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import { packError } from '../../../threads/error-transfer.js';
import type { TaskContext } from '../../../threads/tasks.js';
import { FileSink } from './file-sink.js';
import type { FromHelper, ToHelper } from './helped-queue.js';
import type { ObjectSink, StoredContent } from './object-queue.js';

/** A layer of which this thread is to store objects, until the port is closed. */
export interface HelpLayerInput {
  readonly store: ObjectStoreOptions;
  /** Leads to the {@link HelpedQueue} of the layer. */
  readonly port: MessagePort;
  /** How files become objects, where the layer consists of such. */
  readonly files?: ImportOptions | undefined;
}

/** Stores batches of objects for another thread. */
export async function helpLayer({ store, port, files }: HelpLayerInput, { signal }: TaskContext): Promise<void> {
  const objects = new ObjectStore(store);
  objects.deferNames();
  const sink = files === undefined ? objects : new FileSink(objects, new ImportContext(files));
  const post = (message: FromHelper, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const onAbort = (): void => port.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await new Promise<void>((resolve) => {
      port.once('close', resolve);
      port.on('message', (message: ToHelper) => {
        if (message.type === 'name') return post(named(objects));
        const { batch, memory, sizes } = message;
        try {
          post({ type: 'stored', batch, memory, contents: storeBatch(sink, message) }, [memory]);
        } catch {
          post({ type: 'failed', batch, memory, sizes }, [memory]);
        }
      });
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    objects.dropUnnamed();
  }
}

function named(objects: ObjectStore): FromHelper {
  try {
    return { type: 'named', hadNone: !objects.nameObjects({ areSynced: true }) };
  } catch (error) {
    return { type: 'not-named', error: packError(error) };
  }
}

function storeBatch(sink: ObjectSink, { memory, sizes, files }: ToHelper & { type: 'batch' }): StoredContent[] {
  let position = 0;
  return sizes.map((size, index) => {
    const { id, method } = sink.storeObject(Buffer.from(memory, position, size), files?.[index]);
    position += size;
    return { id, method };
  });
}
