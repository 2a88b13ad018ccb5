import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import type { TaskContext } from '../../../threads/tasks.js';
import { Turns } from '../../../threads/turns.js';
import type { LayerContent } from '../../blob/layer-blob.js';
import { type NamingTimes, nameObjects } from './name-objects.js';
import { directQueue } from './object-queue.js';
import { gather } from './read-blob.js';
import { type LayerInput, reportProgress, reportStart, storeContent } from './store-layer.js';
import type { StoredLayer } from './store-tar.js';

/** The content of a layer that this thread can read. */
type ReadableContent = Exclude<LayerContent, { kind: 'store' }>;

interface StoredLayerWaiting {
  readonly resolve: (times: NamingTimes) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The layers of a small pull, which this thread stores one after the other, all through one object store. Their objects get
 * their names together, after one sync, when no layer is at work any more: of 200 layers of a few files each sync took a
 * tenth of the time.
 */
export class LayersTogether {
  readonly #objects: ObjectStore;
  /** Ends when it is the next layer's turn. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #turns = new Turns();
  /** Layers that may still bring objects. */
  #atWork = 0;
  /** Layers that are stored, and told when their objects have names. */
  #stored: StoredLayerWaiting[] = [];
  /** While names are given no objects are stored: the sync before would not serve them. */
  #naming: Promise<void> | undefined;

  constructor(store: ObjectStoreOptions) {
    this.#objects = new ObjectStore(store);
    this.#objects.deferNames();
  }

  /**
   * Runs what stores one layer.
   *
   * @param action is given what it waits for when its layer is stored: the names of its objects.
   */
  async run<T>(action: (whenNamed: () => Promise<NamingTimes>) => Promise<T>): Promise<T> {
    while (this.#naming !== undefined) await this.#naming;
    this.#atWork++;
    let isAtWork = true;
    const end = (): void => {
      if (!isAtWork) return;
      isAtWork = false;
      this.#atWork--;
      if (this.#atWork === 0 && this.#stored.length > 0) this.#naming = this.#name();
    };
    const whenNamed = (): Promise<NamingTimes> =>
      new Promise((resolve, reject) => {
        this.#stored.push({ resolve, reject });
        end();
      });
    try {
      return await action(whenNamed);
    } finally {
      end();
    }
  }

  /** Stores a layer's content as {@link storeLayer} does; of one that fails nothing stays. Within {@link run}. */
  async store(content: ReadableContent, layer: LayerInput, context: TaskContext): Promise<StoredLayer> {
    reportStart(layer, context);
    const { descriptor, key } = layer;
    const report = reportProgress(key, descriptor.size, context);
    const blob =
      content.kind === 'file'
        ? content
        : ({ kind: 'bytes', bytes: await gather(content.chunks, descriptor, report) } as const);
    const own = this.#last.then(async () => {
      context.signal.throwIfAborted();
      if (this.#turns.isOver()) await this.#turns.next();
      const objects = this.#objects;
      return await objects.allOrNone(() => storeContent(objects, directQueue(objects), layer, blob, context));
    });
    this.#last = own.catch(() => undefined);
    return await own;
  }

  /** Drops what has got no name. */
  close(): void {
    this.#objects.dropUnnamed();
  }

  async #name(): Promise<void> {
    const stored = this.#stored.splice(0);
    try {
      const times = await nameObjects(this.#objects, undefined);
      for (const { resolve } of stored) resolve(times);
    } catch (error) {
      for (const { reject } of stored) reject(error);
    } finally {
      this.#naming = undefined;
    }
  }
}
