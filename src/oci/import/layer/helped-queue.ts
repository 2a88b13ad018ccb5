import { closeSync } from 'node:fs';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { ObjectIdTable } from '../../../composefs/fsverity/id-table.js';
import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import { ComposefsError } from '../../../errors.js';
import { closeOnError } from '../../../fs/files.js';
import { type TransferredError, unpackError } from '../../../threads/error-transfer.js';
import { transferableFile } from './file-sink.js';
import type { ContentWriter, ObjectQueue, ObjectSink, SourceFile, StoredContent, WhenStored } from './object-queue.js';

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
  | {
      readonly type: 'batch';
      readonly batch: number;
      readonly memory: ArrayBuffer;
      readonly sizes: readonly number[];
      /** Those that the objects are made from, which this side closes; undefined if there are none. */
      readonly files: readonly (SourceFile | undefined)[] | undefined;
    }
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
/** One that it works on, and one that waits. */
const BATCHES_OF_A_HELPER = 2;

export interface BatchLimits {
  /** Many small objects are worth a message. */
  readonly objects: number;
  /** While this thread waits for the decoder, helpers go on with so many. */
  readonly waiting: number;
}

const USUAL_LIMITS: BatchLimits = { objects: 256, waiting: 8 };

/** An object whose turn has not come. */
interface Queued {
  readonly stored: WhenStored;
  content: StoredContent | undefined;
}

interface Batch {
  readonly memory: ArrayBuffer;
  readonly objects: Queued[];
  readonly sizes: number[];
  /** As many as there are objects, or none. */
  readonly files: (SourceFile | undefined)[];
  used: number;
}

/** A thread that helps, as the layer's thread sees it. */
class Helper {
  readonly port: MessagePort;
  /** Batches that it has. */
  batches = 0;
  /** It has stored something, which has no name yet. */
  hasStored = false;
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

/**
 * The objects of a layer, of which threads that were added store a part. What fails in such a thread is tried again in this
 * one, whose error is the layer's.
 */
export class HelpedQueue implements ObjectQueue {
  readonly #sink: ObjectSink;
  readonly #limits: BatchLimits;
  #helpers: Helper[] = [];
  /** All objects whose turn has not come, in their order. */
  readonly #queue: Queued[] = [];
  readonly #sent = new Map<number, { readonly helper: Helper; readonly batch: Batch }>();
  #lastBatch = 0;
  #filling: Batch | undefined;
  /** Full batches for which no helper has room. */
  readonly #waiting: Batch[] = [];
  readonly #free: ArrayBuffer[] = [];
  /** Objects that are new with this layer: two threads may each have taken the same one for new. */
  #new: ObjectIdTable | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake = (): void => undefined;

  constructor(sink: ObjectSink, limits: BatchLimits = USUAL_LIMITS) {
    this.#sink = sink;
    this.#limits = limits;
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

  /** @param file that the object is made from; it is this queue's, which closes it. */
  queueObject(data: Buffer, stored: WhenStored, file?: SourceFile): void {
    closeOnFailure(file, () => this.#throwFailure());
    if (this.#filling !== undefined && data.length > this.#filling.memory.byteLength - this.#filling.used)
      this.#close();
    if (data.length === 0 || !this.#hasRoom()) {
      this.queueStored(this.#store(data, file), stored);
      return;
    }
    this.#filling ??= this.#newBatch(data.length);
    const { memory, objects, sizes, files, used } = this.#filling;
    new Uint8Array(memory).set(data, used);
    const object = { stored, content: undefined };
    objects.push(object);
    sizes.push(data.length);
    files.push(file);
    this.#filling.used += data.length;
    this.#queue.push(object);
    if (objects.length >= this.#limits.objects) this.#close();
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

  /** After a failure: waits until no helper uses a file any more, and closes all. */
  async dropFiles(): Promise<void> {
    this.#failure ??= { error: new Error('given up') };
    while (this.#sent.size > 0) await this.#message();
    const left = [...this.#waiting.splice(0), ...(this.#filling === undefined ? [] : [this.#filling])];
    for (const { files } of left) closeAll(files);
    this.#filling = undefined;
  }

  /** Whether another object can wait for a helper. */
  #hasRoom(): boolean {
    if (this.#helpers.length === 0) return false;
    // This thread may not return to its event loop for a while.
    if (this.#waiting.length > 0) this.#receiveAll();
    return this.#waiting.length < this.#limits.waiting;
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
    return {
      memory: memory ?? new ArrayBuffer(Math.max(size, BATCH_BYTES)),
      objects: [],
      sizes: [],
      files: [],
      used: 0,
    };
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
        this.#sent.set(number, { helper, batch });
        helper.batches++;
        const { memory, sizes } = batch;
        const hasFiles = batch.files.some((file) => file !== undefined);
        const files = hasFiles ? batch.files.map((file) => file && transferableFile(file)) : undefined;
        helper.post({ type: 'batch', batch: number, memory, sizes, files }, [memory]);
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
    if (this.#failure === undefined) this.#send();
    const batch = this.#sent.get(message.batch)?.batch;
    this.#sent.delete(message.batch);
    try {
      if (batch === undefined) return;
      if (this.#failure !== undefined) closeAll(batch.files);
      else if (message.type === 'failed') this.#storeHere({ ...batch, memory: message.memory });
      else {
        helper.hasStored = true;
        closeAll(batch.files);
        this.#fill(batch, message.contents);
      }
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
    // One that could not begin has nothing.
    if (helper.batches === 0 && !helper.hasStored) return;
    const error = new ComposefsError('WORKER_EXITED', 'a worker thread that helped with a layer ended unexpectedly');
    this.#failure ??= { error };
    // It is gone, and uses nothing any more.
    for (const [number, sent] of this.#sent) {
      if (sent.helper !== helper) continue;
      closeAll(sent.batch.files);
      this.#sent.delete(number);
    }
    helper.whenNamed?.(true);
    this.#wake();
  }

  #store(data: Buffer, file: SourceFile | undefined): StoredContent {
    try {
      return this.#sink.storeObject(data, file);
    } finally {
      if (file !== undefined) closeSync(file.fd);
    }
  }

  #storeHere({ memory, objects, sizes, files }: Batch): void {
    const contents: StoredContent[] = [];
    let position = 0;
    try {
      for (const size of sizes) {
        contents.push(this.#sink.storeObject(Buffer.from(memory, position, size), files[contents.length]));
        position += size;
      }
    } finally {
      closeAll(files);
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
      const isKnown = content.method !== 'already-present' && !this.#isFirst(content.id);
      stored(isKnown ? { ...content, method: 'already-present' } : content);
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

function closeAll(files: (SourceFile | undefined)[]): void {
  for (const file of files.splice(0)) if (file !== undefined) closeSync(file.fd);
}

function closeOnFailure(file: SourceFile | undefined, action: () => void): void {
  if (file === undefined) action();
  else closeOnError(file.fd, action);
}
