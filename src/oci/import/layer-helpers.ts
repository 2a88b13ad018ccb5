import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import type { ImportPool } from './import-pool.js';

interface RunningLayer {
  /** Brings helpers to its thread. */
  readonly port: MessagePort;
  helpers: number;
  readonly ended: AbortController;
}

/**
 * Lets threads that have no layer of their own help with one: decompressing, splitting and hashing a layer is more than
 * one processor's work. Only for images that have fewer layers than there are processors; else all of them have a layer,
 * and help would only cost.
 *
 * Measured with 2 processors, Node 20, tmpfs; medians of 5 pulls, with help and without:
 *
 * | image | layers | wall | CPU | memory |
 * |---|---:|---:|---:|---:|
 * | debian:zstd | 1 | 0.96 s, not 1.14 s | 1.65 s, not 1.55 s | 161 MiB, not 136 MiB |
 * | debian:plain | 1 | 0.91 s, not 1.08 s | 1.61 s, not 1.47 s | 161 MiB, not 133 MiB |
 * | python:zstd | 2 | 1.81 s, not 1.79 s: so not done | 3.24 s, not 3.09 s | 207 MiB, not 190 MiB |
 *
 * (The last line is what help with the longer layer after the end of the shorter one would bring.)
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
    this.#threads = Math.min(pool.size, availableParallelism());
    this.#isWorthIt = layers < this.#threads;
    this.#left = layers;
  }

  /**
   * A layer begins, the largest first.
   *
   * @returns the port that its thread gets, over which helpers are offered to it, and what to call when the thread is done.
   */
  begin(): { readonly port: MessagePort; readonly end: () => void } {
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
    if (!this.#isWorthIt || this.#signal.aborted) return;
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
