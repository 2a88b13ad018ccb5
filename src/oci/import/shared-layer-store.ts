import type { ContentWriter, DirectStore, LayerStore, StoredContent, WhenStored } from './layer-store.js';
import { type ObjectBatch, ObjectBatches, type SharedObjectBatches } from './object-batches.js';

/** After this time a helper is taken for dead: it ended without giving back what it had claimed. */
const HELPER_PATIENCE_MS = 60_000;

interface QueuedObject {
  readonly stored: WhenStored;
  content: StoredContent | undefined;
}

interface QueuedBatch {
  readonly batch: ObjectBatch;
  readonly objects: QueuedObject[];
}

/**
 * Stores a layer's objects together with the threads that help (see {@link helpStoring}): they take whole batches, and
 * where none of them is fast enough the calling thread does so itself. Without helpers everything is stored at once.
 */
export class SharedLayerStore implements LayerStore {
  readonly #store: DirectStore;
  readonly #shared: ObjectBatches;
  readonly #free: ObjectBatch[];
  /** Batches that others may be at work on. */
  readonly #published: QueuedBatch[] = [];
  #filling: QueuedBatch | undefined;
  /** All objects whose turn has not come. */
  readonly #queue: QueuedObject[] = [];

  readonly #patienceMs: number;

  constructor(store: DirectStore, shared: SharedObjectBatches, patienceMs: number = HELPER_PATIENCE_MS) {
    this.#store = store;
    this.#patienceMs = patienceMs;
    this.#shared = new ObjectBatches(shared);
    this.#free = [...this.#shared.batches];
  }

  createWriter(): ContentWriter {
    return this.#store.createWriter();
  }

  queueObject(data: Buffer, stored: WhenStored): void {
    const batch = this.#batchWith(data);
    if (batch === undefined) {
      this.queueStored(this.#store.storeObject(data), stored);
      return;
    }
    const object = { stored, content: undefined };
    batch.objects.push(object);
    this.#queue.push(object);
  }

  queueStored(content: StoredContent, stored: WhenStored): void {
    if (this.#queue.length === 0) stored(content);
    else this.#queue.push({ stored, content });
  }

  drain(): void {
    this.#publish();
    while (this.#published.length > 0) this.#finishOne();
  }

  close(): void {
    this.#shared.close();
  }

  /** Adds the object to a batch; undefined if it had better be stored at once. */
  #batchWith(data: Buffer): QueuedBatch | undefined {
    if (!this.#shared.hasHelpers || data.length === 0) return undefined;
    if (this.#filling?.batch.add(data) === true) return this.#filling;
    this.#publish();
    this.#collect();
    while (this.#free.length === 0 && this.#published.length > 0) this.#finishOne();
    const batch = this.#free.pop();
    if (batch === undefined || !batch.add(data)) return undefined;
    this.#filling = { batch, objects: [] };
    return this.#filling;
  }

  #publish(): void {
    if (this.#filling === undefined) return;
    this.#published.push(this.#filling);
    this.#filling.batch.publish();
    this.#filling = undefined;
    this.#shared.ring();
  }

  /** Finishes at least one published batch: one that nobody has begun, else by waiting for a helper. */
  #finishOne(): void {
    const own = this.#published.findLast(({ batch }) => batch.claim());
    if (own !== undefined) this.#finish(own, own.batch.storeObjects(this.#store));
    else this.#awaitHelper();
    this.#collect();
  }

  #awaitHelper(): void {
    const [oldest] = this.#published;
    if (oldest === undefined) return;
    const { batch } = oldest;
    batch.awaitDone(this.#patienceMs);
    // Storing twice does no harm. The helper may still come back to life, so the batch is never used again.
    if (batch.isClaimed) this.#settle(oldest, batch.storeObjects(this.#store));
  }

  /** Takes the results of batches that are done. */
  #collect(): void {
    for (const published of this.#published.filter(({ batch }) => batch.isDone)) {
      this.#finish(published, published.batch.results());
    }
  }

  #finish(published: QueuedBatch, results: readonly StoredContent[]): void {
    this.#settle(published, results);
    published.batch.clear();
    this.#free.push(published.batch);
  }

  #settle(published: QueuedBatch, results: readonly StoredContent[]): void {
    this.#published.splice(this.#published.indexOf(published), 1);
    for (const [index, object] of published.objects.entries()) object.content = results[index];
    const waiting = this.#queue.findIndex(({ content }) => content === undefined);
    for (const { stored, content } of this.#queue.splice(0, waiting < 0 ? this.#queue.length : waiting)) {
      if (content !== undefined) stored(content);
    }
  }
}
