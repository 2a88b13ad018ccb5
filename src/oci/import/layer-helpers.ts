import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import { LAYERS_AT_ONCE } from '../blob/file-layer.js';
import type { ImportPool } from './import-pool.js';

interface RunningLayer {
  /** Brings helpers to its thread. */
  readonly port: MessagePort;
  helpers: number;
  readonly ended: AbortController;
}

/**
 * Lets threads that have no layer of their own help with one: splitting and hashing a layer is more than one processor's
 * work. Only for images that have fewer layers than {@link LAYERS_AT_ONCE}; else all threads have a layer, and help would
 * only cost. So there is none with two processors, which one thread and the pool keep busy (docs/performance.md).
 */
export class LayerHelpers {
  readonly #pool: ImportPool;
  readonly #store: ObjectStoreOptions;
  readonly #signal: AbortSignal;
  readonly #running = new Set<RunningLayer>();
  readonly #threads: number;
  readonly #isWorthIt: boolean;
  /** Layers that have not ended, begun or not. */
  #left: number;
  #helping = 0;

  /** @param layers how many there are. */
  constructor(layers: number, pool: ImportPool, store: ObjectStoreOptions, signal: AbortSignal) {
    this.#pool = pool;
    this.#store = store;
    this.#signal = signal;
    this.#threads = Math.min(pool.size, LAYERS_AT_ONCE);
    this.#isWorthIt = layers < this.#threads;
    this.#left = layers;
  }

  /**
   * A layer begins, the largest first.
   *
   * @returns the port that its thread gets, over which helpers are offered to it, and what to call when the thread is done.
   *   No port where there are no helpers: an image may have hundreds of layers.
   */
  begin(): { readonly port: MessagePort | undefined; readonly end: () => void } {
    if (!this.#isWorthIt) return { port: undefined, end: () => undefined };
    const { port1, port2 } = new MessageChannel();
    const layer = { port: port1, helpers: 0, ended: new AbortController() };
    this.#running.add(layer);
    this.#start();
    const end = (): void => {
      this.#running.delete(layer);
      layer.ended.abort();
      port1.close();
      port2.close();
    };
    return { port: port2, end };
  }

  /** A layer is stored, or given up, or was there. */
  end(): void {
    this.#left--;
    this.#start();
  }

  #start(): void {
    if (this.#signal.aborted) return;
    while (this.#running.size > 0 && this.#left + this.#helping < this.#threads) {
      // The one with the fewest helpers; of several the largest.
      const layer = [...this.#running].reduce((best, other) => (other.helpers < best.helpers ? other : best));
      void this.#help(layer);
    }
  }

  async #help(layer: RunningLayer): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    layer.helpers++;
    this.#helping++;
    try {
      layer.port.postMessage(port1, [port1]);
      const signal = AbortSignal.any([this.#signal, layer.ended.signal]);
      await this.#pool.run('help-layer', { store: this.#store, port: port2 }, { signal, transfer: [port2] });
    } catch {
      // The layer's thread reports what it lacks.
    } finally {
      layer.helpers--;
      this.#helping--;
      this.#start();
    }
  }
}
