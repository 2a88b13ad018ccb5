import { digestSize, type HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import { trustedObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStoreMethod } from '../../composefs/repository/objects/stored-object.js';
import { type DirectStore, MAX_QUEUED_OBJECT, type StoredContent } from './layer-store.js';

/**
 * Memory through which the thread of a layer hands batches of objects to threads that have nothing else to do. Plain
 * data: post it to the other thread and make an {@link ObjectBatches} of it there.
 */
export interface SharedObjectBatches {
  readonly algorithm: HashAlgorithm;
  /** Int32 words: {@link CLOSED}, {@link HELPERS}, {@link BELL}, then the state of each batch. */
  readonly control: SharedArrayBuffer;
  /** For each batch the content of its objects, one after the other, and a record for each object. */
  readonly data: SharedArrayBuffer;
}

const CLOSED = 0;
const HELPERS = 1;
/** Counts up with every batch that becomes ready, and at the end. */
const BELL = 2;
const FIRST_STATE = 3;

/** The layer's thread owns free batches, a claimed one belongs to who claimed it; ready and done ones wait. */
const STATE = { FREE: 0, READY: 1, CLAIMED: 2, DONE: 3 } as const;

const BATCHES = 4;
const CONTENT_SIZE = MAX_QUEUED_OBJECT;
const MAX_OBJECTS = 256;
/** A record: size u32 @0, method u32 @4, the id as text @8. */
const METHOD_OFFSET = 4;
const ID_OFFSET = 8;
const METHODS: readonly ObjectStoreMethod[] = ['copied', 'already-present', 'reflinked', 'hardlinked'];

function recordSize(algorithm: HashAlgorithm): number {
  return ID_OFFSET + 2 * digestSize(algorithm);
}

function batchSize(algorithm: HashAlgorithm): number {
  return CONTENT_SIZE + MAX_OBJECTS * recordSize(algorithm);
}

export function createObjectBatches(algorithm: HashAlgorithm): SharedObjectBatches {
  return {
    algorithm,
    control: new SharedArrayBuffer((FIRST_STATE + BATCHES) * Int32Array.BYTES_PER_ELEMENT),
    data: new SharedArrayBuffer(BATCHES * batchSize(algorithm)),
  };
}

/** One thread's view of the shared batches. */
export class ObjectBatches {
  readonly batches: readonly ObjectBatch[];
  readonly #control: Int32Array;

  constructor({ algorithm, control, data }: SharedObjectBatches) {
    this.#control = new Int32Array(control);
    this.batches = Array.from(
      { length: BATCHES },
      (_, index) => new ObjectBatch(algorithm, this.#control, FIRST_STATE + index, data, index * batchSize(algorithm)),
    );
  }

  /** Whether another thread takes batches. */
  get hasHelpers(): boolean {
    return Atomics.load(this.#control, HELPERS) > 0;
  }

  addHelper(count: 1 | -1): void {
    Atomics.add(this.#control, HELPERS, count);
  }

  /** No more batches come. */
  get isClosed(): boolean {
    return Atomics.load(this.#control, CLOSED) !== 0;
  }

  close(): void {
    Atomics.store(this.#control, CLOSED, 1);
    this.ring();
  }

  /** Tells helpers that there is something new. */
  ring(): void {
    Atomics.add(this.#control, BELL, 1);
    Atomics.notify(this.#control, BELL);
  }

  /** How often the bell has rung. */
  get rings(): number {
    return Atomics.load(this.#control, BELL);
  }

  /** Waits until the bell has rung more often than that, or for some milliseconds. */
  awaitRing(rings: number, timeoutMs: number): void {
    Atomics.wait(this.#control, BELL, rings, timeoutMs);
  }

  /** Claims a batch that is ready; undefined if none is. */
  claim(): ObjectBatch | undefined {
    return this.batches.find((batch) => batch.claim());
  }
}

/** Some objects that are stored together. */
export class ObjectBatch {
  readonly #control: Int32Array;
  readonly #stateIndex: number;
  readonly #content: Buffer;
  readonly #records: Buffer;
  readonly #recordSize: number;
  #used = 0;
  #count = 0;

  constructor(
    algorithm: HashAlgorithm,
    control: Int32Array,
    stateIndex: number,
    data: SharedArrayBuffer,
    offset: number,
  ) {
    this.#control = control;
    this.#stateIndex = stateIndex;
    this.#content = Buffer.from(data, offset, CONTENT_SIZE);
    this.#recordSize = recordSize(algorithm);
    this.#records = Buffer.from(data, offset + CONTENT_SIZE, MAX_OBJECTS * this.#recordSize);
  }

  /** Appends an object to a free batch; false if there is no room for it. */
  add(data: Buffer): boolean {
    if (this.#count === MAX_OBJECTS || data.length > CONTENT_SIZE - this.#used) return false;
    this.#content.set(data, this.#used);
    this.#records.writeUInt32LE(data.length, this.#count * this.#recordSize);
    this.#used += data.length;
    this.#count++;
    // Zero ends the list for who reads it.
    if (this.#count < MAX_OBJECTS) this.#records.writeUInt32LE(0, this.#count * this.#recordSize);
    return true;
  }

  /** Hands a free batch over. */
  publish(): void {
    this.#setState(STATE.READY);
  }

  claim(): boolean {
    return Atomics.compareExchange(this.#control, this.#stateIndex, STATE.READY, STATE.CLAIMED) === STATE.READY;
  }

  get isDone(): boolean {
    return Atomics.load(this.#control, this.#stateIndex) === STATE.DONE;
  }

  get isClaimed(): boolean {
    return Atomics.load(this.#control, this.#stateIndex) === STATE.CLAIMED;
  }

  /** Waits, some milliseconds at most, while another thread has claimed the batch. */
  awaitDone(timeoutMs: number): void {
    Atomics.wait(this.#control, this.#stateIndex, STATE.CLAIMED, timeoutMs);
  }

  /** Stores the objects of a claimed batch. */
  storeObjects(store: DirectStore): StoredContent[] {
    const results: StoredContent[] = [];
    let position = 0;
    for (let record = 0; record < this.#records.length; record += this.#recordSize) {
      const size = this.#records.readUInt32LE(record);
      if (size === 0) break;
      results.push(store.storeObject(this.#content.subarray(position, position + size)));
      position += size;
    }
    return results;
  }

  /** Hands the results of a claimed batch to the thread that published it. */
  giveResults(results: readonly StoredContent[]): void {
    for (const [index, { id, method }] of results.entries()) {
      const record = index * this.#recordSize;
      this.#records.writeUInt32LE(METHODS.indexOf(method), record + METHOD_OFFSET);
      this.#records.write(id, record + ID_OFFSET, 'latin1');
    }
    this.#setState(STATE.DONE);
  }

  /** Gives a claimed batch back undone. */
  giveBack(): void {
    this.#setState(STATE.READY);
  }

  /** The results of a batch that is done. */
  results(): StoredContent[] {
    return Array.from({ length: this.#count }, (_, index) => {
      const record = index * this.#recordSize;
      const method = METHODS[this.#records.readUInt32LE(record + METHOD_OFFSET)] ?? 'copied';
      const id = trustedObjectId(this.#records.toString('latin1', record + ID_OFFSET, record + this.#recordSize));
      return { id, method };
    });
  }

  /** Makes a claimed or done batch free. */
  clear(): void {
    this.#used = 0;
    this.#count = 0;
    this.#setState(STATE.FREE);
  }

  #setState(state: number): void {
    Atomics.store(this.#control, this.#stateIndex, state);
    Atomics.notify(this.#control, this.#stateIndex);
  }
}
