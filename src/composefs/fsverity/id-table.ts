import { ComposefsError } from '../../errors.js';
import { type ObjectId, trustedObjectId } from './object-id.js';

const FIRST_CAPACITY = 64;

/**
 * Distinct object ids in the order in which they were added, as bytes: a map of strings would take five times the memory,
 * and a layer may have a million of them.
 */
export class ObjectIdTable {
  readonly #digestSize: number;
  readonly #wordsPerId: number;
  /** Which word of an id tells its slot. Nobody outside knows, so that nobody can choose ids that share one. */
  readonly #hashWord: number;
  #bytes: Buffer;
  #words: Int32Array;
  /** Index + 1 of the id that has the slot; 0: none. A power of two, at least twice as many as ids. */
  #slots: Int32Array;
  #size = 0;

  /** @param digestSize in bytes. */
  constructor(digestSize: number) {
    this.#digestSize = digestSize;
    this.#wordsPerId = digestSize / Int32Array.BYTES_PER_ELEMENT;
    this.#hashWord = Math.floor(Math.random() * this.#wordsPerId);
    const memory = new ArrayBuffer(FIRST_CAPACITY * digestSize);
    this.#bytes = Buffer.from(memory);
    this.#words = new Int32Array(memory);
    this.#slots = new Int32Array(2 * FIRST_CAPACITY);
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /**
   * The index of an id, which is added unless it is there.
   *
   * @throws ComposefsError `INVALID_OBJECT_ID` if it is no id of that size.
   */
  add(id: ObjectId): number {
    if ((this.#size + 1) * this.#digestSize > this.#bytes.length) this.#grow();
    // Behind the last one: either it stays there, or it is written over by the next.
    if (id.length !== 2 * this.#digestSize || !this.#write(id)) {
      throw new ComposefsError('INVALID_OBJECT_ID', `${id} is not an object id of ${this.#digestSize} bytes`);
    }
    return this.#addWritten();
  }

  /** {@link add} of the id whose bytes lie in `source` from `start` on. */
  addBytes(source: Buffer, start: number): number {
    this.#copy(source, start);
    return this.#addWritten();
  }

  /** Adds ids whose bytes lie one after the other. */
  addAll(bytes: Buffer): void {
    for (let start = 0; start < bytes.length; start += this.#digestSize) this.addBytes(bytes, start);
  }

  has(id: ObjectId): boolean {
    return this.lookup(id) !== undefined;
  }

  /** The index of an id; undefined if it was not added. */
  lookup(id: ObjectId): number | undefined {
    if ((this.#size + 1) * this.#digestSize > this.#bytes.length) this.#grow();
    if (id.length !== 2 * this.#digestSize || !this.#write(id)) return undefined;
    return this.#lookupWritten();
  }

  /** {@link lookup} of the id whose bytes lie in `source` from `start` on. */
  lookupBytes(source: Buffer, start: number): number | undefined {
    this.#copy(source, start);
    return this.#lookupWritten();
  }

  /** The id of an index. */
  at(index: number): ObjectId {
    if (!(index >= 0 && index < this.#size)) throw new RangeError(`there is no id ${index}`);
    return trustedObjectId(this.#bytes.toString('hex', index * this.#digestSize, (index + 1) * this.#digestSize));
  }

  /** The first byte of the id of an index. */
  firstByteAt(index: number): number {
    return index < this.#size ? (this.#bytes[index * this.#digestSize] ?? 0) : 0;
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): Generator<ObjectId> {
    for (let index = 0; index < this.#size; index++) yield this.at(index);
  }

  /** All of them, one after the other: a view, valid until the next call. */
  toBytes(): Buffer {
    return this.#bytes.subarray(0, this.#size * this.#digestSize);
  }

  #addWritten(): number {
    const slot = this.#slotOf(this.#size);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    this.#size += 1;
    this.#slots[slot] = this.#size;
    return this.#size - 1;
  }

  #lookupWritten(): number | undefined {
    const known = this.#slots[this.#slotOf(this.#size)] ?? 0;
    return known > 0 ? known - 1 : undefined;
  }

  #copy(source: Buffer, start: number): void {
    const end = start + this.#digestSize;
    if (!(start >= 0 && end <= source.length)) throw new RangeError(`there is no id at ${start}`);
    if ((this.#size + 1) * this.#digestSize > this.#bytes.length) this.#grow();
    source.copy(this.#bytes, this.#size * this.#digestSize, start, end);
  }

  #write(id: ObjectId): boolean {
    return this.#bytes.write(id, this.#size * this.#digestSize, this.#digestSize, 'hex') === this.#digestSize;
  }

  /** The slot of what is at `index`: that of an equal id, else the free one where it belongs. */
  #slotOf(index: number): number {
    const mask = this.#slots.length - 1;
    let slot = (this.#words[index * this.#wordsPerId + this.#hashWord] ?? 0) & mask;
    for (let other = this.#slots[slot] ?? 0; other > 0; other = this.#slots[slot] ?? 0) {
      if (this.#areEqual(other - 1, index)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #areEqual(one: number, other: number): boolean {
    const [a, b] = [one * this.#wordsPerId, other * this.#wordsPerId];
    for (let word = 0; word < this.#wordsPerId; word++) {
      if (this.#words[a + word] !== this.#words[b + word]) return false;
    }
    return true;
  }

  #grow(): void {
    const memory = new ArrayBuffer(2 * this.#bytes.length);
    const bytes = Buffer.from(memory);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#words = new Int32Array(memory);
    this.#slots = new Int32Array(2 * this.#slots.length);
    for (let index = 0; index < this.#size; index++) this.#slots[this.#slotOf(index)] = index + 1;
  }
}
