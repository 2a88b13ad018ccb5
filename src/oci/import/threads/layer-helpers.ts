import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { ImportOptions } from '../../../composefs/repository/objects/import-file.js';
import type { ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import { ComposefsError } from '../../../errors.js';
import { LAYERS_AT_ONCE } from '../../blob/file-layer.js';
import type { ImportPool } from './import-pool.js';

interface RunningLayer {
  /** Brings helpers to its thread. */
  readonly port: MessagePort;
  /** How its files become objects, if it consists of such. */
  readonly files: ImportOptions | undefined;
  helpers: number;
  readonly ended: AbortController;
  /** All that have helped or do; they fulfil when they end. */
  readonly helping: Promise<void>[];
  /** The first of their errors. */
  failure: { readonly error: unknown } | undefined;
}

/** What a layer has while its thread is at work. */
export interface HelpedLayer {
  /** Brings helpers to the thread. Undefined where there are none: an image may have hundreds of layers. */
  readonly port: MessagePort | undefined;
  /**
   * The cause of what the thread has failed with, where it says only that a helper is gone. Resolves when all helpers
   * are.
   */
  readonly explain: (error: unknown) => Promise<unknown>;
  /** To be called when the thread is done. */
  readonly end: () => void;
}

/**
 * Lets threads that have no layer of their own help with one: splitting and hashing a layer is more than one processor's
 * work. Only for images that have fewer layers than threads are of use; else all threads have a layer, and help would only
 * cost. So with two processors, which one thread and Node's pool keep busy, there is none for what is decompressed there
 * (docs/performance.md), but for the files of a store of containers/storage.
 */
export class LayerHelpers {
  readonly #pool: ImportPool;
  readonly #store: ObjectStoreOptions;
  readonly #signal: AbortSignal;
  readonly #running = new Set<RunningLayer>();
  /** How many there are. */
  readonly #layers: number;
  /** Layers that have not ended, begun or not. */
  #left: number;
  #helping = 0;

  /** @param layers how many there are. */
  constructor(layers: number, pool: ImportPool, store: ObjectStoreOptions, signal: AbortSignal) {
    this.#pool = pool;
    this.#store = store;
    this.#signal = signal;
    this.#layers = layers;
    this.#left = layers;
  }

  /**
   * A layer begins, the largest first.
   *
   * @param files how its files become objects, if it consists of such.
   */
  begin(files?: ImportOptions): HelpedLayer {
    if (this.#layers >= this.#threadsFor(files)) {
      return { port: undefined, explain: async (error) => error, end: () => undefined };
    }
    const { port1, port2 } = new MessageChannel();
    const ended = new AbortController();
    const layer: RunningLayer = { port: port1, files, helpers: 0, ended, helping: [], failure: undefined };
    this.#running.add(layer);
    this.#start();
    const end = (): void => {
      this.#running.delete(layer);
      layer.ended.abort();
      port1.close();
      port2.close();
    };
    return { port: port2, explain: (error) => this.#explain(layer, error), end };
  }

  /** A layer is stored, or given up, or was there. */
  end(): void {
    this.#left--;
    this.#start();
  }

  #start(): void {
    if (this.#signal.aborted) return;
    for (;;) {
      // The one with the fewest helpers; of several the largest.
      const [layer] = [...this.#running].sort((one, other) => one.helpers - other.helpers);
      if (layer === undefined || !this.#isHelpful(layer)) return;
      layer.helping.push(this.#help(layer));
    }
  }

  #isHelpful({ files, failure }: RunningLayer): boolean {
    // Another thread would most likely fail as well.
    return failure === undefined && this.#left + this.#helping < this.#threadsFor(files);
  }

  /** How many threads are of use. */
  #threadsFor(files: ImportOptions | undefined): number {
    return Math.min(this.#pool.size, files === undefined ? LAYERS_AT_ONCE : availableParallelism());
  }

  async #help(layer: RunningLayer): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    layer.helpers++;
    this.#helping++;
    try {
      layer.port.postMessage(port1, [port1]);
      const signal = AbortSignal.any([this.#signal, layer.ended.signal]);
      const input = { store: this.#store, port: port2, files: layer.files };
      await this.#pool.run('help-layer', input, { signal, transfer: [port2] });
    } catch (error) {
      // The layer's thread knows whether it lacks anything.
      layer.failure ??= { error };
    } finally {
      layer.helpers--;
      this.#helping--;
      this.#start();
    }
  }

  async #explain(layer: RunningLayer, error: unknown): Promise<unknown> {
    if (!(error instanceof ComposefsError && error.code === 'WORKER_EXITED')) return error;
    this.#running.delete(layer);
    // The thread has let them all go.
    await Promise.all(layer.helping);
    const cause = layer.failure?.error;
    return cause === undefined ? error : new ComposefsError(error.code, error.message, { cause });
  }
}
