import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { ObjectIdTable } from '../../composefs/fsverity/id-table.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ComposefsError } from '../../errors.js';
import { type TransferredError, unpackError } from '../../threads/error-transfer.js';
import type { ContentWriter, ObjectQueue, ObjectSink, StoredContent, WhenStored } from './object-queue.js';

/**
 * Some of a layer's objects are stored by other threads, which have no layer of their own: see `layer-helpers.ts` for when
 * that is worth it.
 *
 *     layer's thread                              helper (help-layer.ts)
 *     ──────────────                              ──────────────────────
 *     objects fill a batch
 *        │ full: it waits, with at most 8
 *        ├── batch: memory, sizes ──────────────▶ stores them, under no name yet;
 *        │   (where 8 wait: stores the next       │ has 2 batches at most
 *        │    objects itself)                     │
 *        ◀────── stored: memory, ids ─────────────┤
 *     drain: stores what waits, from the other
 *     end, until nothing does
 *     one sync, for what all threads wrote
 *        ├── name ──────────────────────────────▶ names its objects
 *     names its own                               │
 *        ◀────── named ───────────────────────────┤
 *        ├── closes the port ───────────────────▶ is free for another layer
 *
 * A batch is in one place at a time: its memory changes hands, so that no thread sees what another one writes.
 */

/** From the layer's thread. */
export type ToHelper =
  | { readonly type: 'batch'; readonly batch: number; readonly memory: ArrayBuffer; readonly sizes: readonly number[] }
  /** What was stored is on disk: it can get its names. */
  | { readonly type: 'name' };

/** From a helper. */
export type FromHelper =
  | {
      readonly type: 'stored';
      readonly batch: number;
      readonly memory: ArrayBuffer;
      readonly contents: StoredContent[];
    }
  /** The layer's own thread tries it, and says why it fails. */
  | { readonly type: 'failed'; readonly batch: number; readonly memory: ArrayBuffer; readonly sizes: readonly number[] }
  | { readonly type: 'named'; readonly hadNone: boolean }
  | { readonly type: 'not-named'; readonly error: TransferredError };

const BATCH_BYTES = 1 << 20;
/** Many small objects are worth a message. */
const BATCH_OBJECTS = 256;
/** One that it works on, and one that waits. */
const BATCHES_OF_A_HELPER = 2;
/** While this thread waits for the decoder, helpers go on with so many. */
const WAITING_BATCHES = 8;

/** An object whose turn has not come. */
interface Queued {
  readonly stored: WhenStored;
  content: StoredContent | undefined;
}

interface Batch {
  readonly memory: ArrayBuffer;
  readonly objects: Queued[];
  readonly sizes: number[];
  used: number;
}

class Helper {
  readonly port: MessagePort;
  /** Batches that it has. */
  batches = 0;
  whenNamed: ((hadNone: boolean) => void) | undefined;

  constructor(port: MessagePort) {
    this.port = port;
  }

  get hasRoom(): boolean {
    return this.batches < BATCHES_OF_A_HELPER;
  }

  post(message: ToHelper, transfer: ArrayBuffer[] = []): void {
    this.port.postMessage(message, transfer);
  }
}

export class HelpedQueue implements ObjectQueue {
  readonly #sink: ObjectSink;
  #helpers: Helper[] = [];
  /** All objects whose turn has not come, in their order. */
  readonly #queue: Queued[] = [];
  readonly #sent = new Map<number, Batch>();
  #lastBatch = 0;
  #filling: Batch | undefined;
  /** Full batches for which no helper has room. */
  readonly #waiting: Batch[] = [];
  readonly #free: ArrayBuffer[] = [];
  /** Objects that are new with this layer: two threads may each have taken the same one for new. */
  #new: ObjectIdTable | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake = (): void => undefined;

  constructor(sink: ObjectSink) {
    this.#sink = sink;
  }

  /** @param port leads to a thread that helps from now on. */
  addHelper(port: MessagePort): void {
    const helper = new Helper(port);
    this.#helpers.push(helper);
    port.on('message', (message: FromHelper) => this.#receive(helper, message));
    port.once('close', () => this.#lose(helper));
  }

  createWriter(): ContentWriter {
    return this.#sink.createWriter();
  }

  queueObject(data: Buffer, stored: WhenStored): void {
    this.#throwFailure();
    if (this.#filling !== undefined && data.length > this.#filling.memory.byteLength - this.#filling.used)
      this.#close();
    if (data.length === 0 || !this.#hasRoom()) {
      this.queueStored(this.#sink.storeObject(data), stored);
      return;
    }
    this.#filling ??= this.#newBatch(data.length);
    const { memory, objects, sizes, used } = this.#filling;
    new Uint8Array(memory).set(data, used);
    const object = { stored, content: undefined };
    objects.push(object);
    sizes.push(data.length);
    this.#filling.used += data.length;
    this.#queue.push(object);
    if (objects.length === BATCH_OBJECTS) this.#close();
  }

  queueStored(content: StoredContent, stored: WhenStored): void {
    this.#queue.push({ stored, content });
    this.#settle();
  }

  async drain(): Promise<void> {
    this.#close();
    // What waits is stored here and there, from both ends.
    for (let batch = this.#waiting.pop(); batch !== undefined; batch = this.#waiting.pop()) {
      this.#storeHere(batch);
      this.#receiveAll();
    }
    while (this.#sent.size > 0) {
      this.#throwFailure();
      await this.#message();
    }
    this.#throwFailure();
  }

  /**
   * Lets the helpers name what they have stored. Everything is on disk.
   *
   * @returns whether there was anything to name.
   */
  async nameHelped(): Promise<boolean> {
    const answers = this.#helpers.map(
      (helper) =>
        new Promise<boolean>((resolve) => {
          helper.whenNamed = resolve;
          helper.post({ type: 'name' });
        }),
    );
    const hadNone = await Promise.all(answers);
    this.#throwFailure();
    return hadNone.includes(false);
  }

  /** Lets the helpers go. What they have stored and not named is dropped. */
  close(): void {
    for (const { port } of this.#helpers.splice(0)) port.close();
  }

  /** Whether another object can wait for a helper. */
  #hasRoom(): boolean {
    if (this.#helpers.length === 0) return false;
    // This thread may not return to its event loop for a while.
    if (this.#waiting.length > 0) this.#receiveAll();
    return this.#waiting.length < WAITING_BATCHES;
  }

  /** Takes in the answers that have come. */
  #receiveAll(): void {
    for (const helper of this.#helpers) {
      const received = receiveMessageOnPort(helper.port);
      if (received !== undefined) this.#receive(helper, received.message);
    }
  }

  #newBatch(size: number): Batch {
    const memory = size > BATCH_BYTES ? undefined : this.#free.pop();
    return { memory: memory ?? new ArrayBuffer(Math.max(size, BATCH_BYTES)), objects: [], sizes: [], used: 0 };
  }

  /** No more objects come into the batch that is being filled. */
  #close(): void {
    if (this.#filling !== undefined) this.#waiting.push(this.#filling);
    this.#filling = undefined;
    this.#send();
  }

  /** Hands over what waits, as far as there is room. */
  #send(): void {
    for (const helper of this.#helpers) {
      while (helper.hasRoom) {
        const batch = this.#waiting.shift();
        if (batch === undefined) return;
        const number = ++this.#lastBatch;
        this.#sent.set(number, batch);
        helper.batches++;
        helper.post({ type: 'batch', batch: number, memory: batch.memory, sizes: batch.sizes }, [batch.memory]);
      }
    }
  }

  #receive(helper: Helper, message: FromHelper): void {
    if (message.type === 'named' || message.type === 'not-named') {
      if (message.type === 'not-named') this.#failure ??= { error: unpackError(message.error) };
      helper.whenNamed?.(message.type === 'named' && message.hadNone);
      return;
    }
    helper.batches--;
    this.#send();
    const batch = this.#sent.get(message.batch);
    this.#sent.delete(message.batch);
    try {
      if (batch === undefined) return;
      if (message.type === 'failed') this.#storeHere({ ...batch, memory: message.memory });
      else this.#fill(batch, message.contents);
      if (message.memory.byteLength === BATCH_BYTES) this.#free.push(message.memory);
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#wake();
    }
  }

  /** A helper that ends by itself takes along what it has stored. */
  #lose(helper: Helper): void {
    if (!this.#helpers.includes(helper)) return;
    this.#helpers = this.#helpers.filter((other) => other !== helper);
    const error = new ComposefsError('WORKER_EXITED', 'a worker thread that helped with a layer ended unexpectedly');
    this.#failure ??= { error };
    helper.whenNamed?.(true);
    this.#wake();
  }

  #storeHere({ memory, objects, sizes }: Batch): void {
    const contents: StoredContent[] = [];
    let position = 0;
    for (const size of sizes) {
      contents.push(this.#sink.storeObject(Buffer.from(memory, position, size)));
      position += size;
    }
    this.#fill({ objects }, contents);
  }

  #fill({ objects }: Pick<Batch, 'objects'>, contents: readonly StoredContent[]): void {
    for (const [index, object] of objects.entries()) object.content = contents[index];
    this.#settle();
  }

  /** Tells of the objects whose turn it is. */
  #settle(): void {
    const waiting = this.#queue.findIndex(({ content }) => content === undefined);
    for (const { stored, content } of this.#queue.splice(0, waiting < 0 ? this.#queue.length : waiting)) {
      if (content === undefined) continue;
      const isNew = content.method === 'copied' && this.#isFirst(content.id);
      stored(content.method === 'copied' && !isNew ? { ...content, method: 'already-present' } : content);
    }
  }

  #isFirst(id: ObjectId): boolean {
    this.#new ??= new ObjectIdTable(id.length / 2);
    const count = this.#new.size;
    return this.#new.add(id) === count;
  }

  #message(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
