import { availableParallelism } from 'node:os';
import type { ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import { createObjectBatches, ObjectBatches, type SharedObjectBatches } from './object-batches.js';
import type { WorkerPool } from './pool.js';

/** Each takes up to 32 MiB, of which those are used only that another thread helps with. */
const MAX_SHARED_LAYERS = 8;

/**
 * Lets threads that have no layer of their own help with those that remain: the layers of an image are of very
 * different sizes, and some images have one only.
 */
export class LayerHelpers {
  readonly #pool: WorkerPool;
  readonly #store: ObjectStoreOptions;
  readonly #signal: AbortSignal;
  readonly #shared = new Set<SharedObjectBatches>();
  #running: number;
  #helpers = 0;

  /** @param layers - how many there are. */
  constructor(layers: number, pool: WorkerPool, store: ObjectStoreOptions, signal: AbortSignal) {
    this.#running = layers;
    this.#pool = pool;
    this.#store = store;
    this.#signal = signal;
  }

  /** Through which a layer, the largest first, can be helped with; undefined where that is not worth its memory. */
  share(): SharedObjectBatches | undefined {
    if (this.#shared.size === MAX_SHARED_LAYERS) return undefined;
    const shared = createObjectBatches(this.#store.algorithm);
    this.#shared.add(shared);
    return shared;
  }

  /** A layer is done or has failed. */
  end(shared: SharedObjectBatches | undefined): void {
    this.#running--;
    if (shared !== undefined) {
      new ObjectBatches(shared).close();
      this.#shared.delete(shared);
    }
    this.start();
  }

  /** Starts helpers, if there are more threads than layers. A helper keeps its thread until the layers are done. */
  start(): void {
    const threads = Math.min(this.#pool.size, availableParallelism());
    while (this.#shared.size > 0 && this.#running + this.#helpers < threads && !this.#signal.aborted) {
      this.#helpers++;
      const input = { store: this.#store, layers: [...this.#shared] };
      // Without help it only takes longer: what fails here fails, and is reported, in the layer's own thread.
      this.#pool.run('help-storing', input, { signal: this.#signal }).catch(() => undefined);
    }
  }
}
