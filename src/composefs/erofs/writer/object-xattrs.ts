import { type ObjectId, trustedObjectId } from '../../fsverity/object-id.js';
import { LeafTable } from '../../tree/leaf-table.js';
import { DEFAULT_DIRECTORY_STAT } from '../../tree/stat.js';
import { xattrEntrySize } from '../format/xattr-area.js';
import type { SharedEntry, StoredName, XattrEntry } from './xattr-table.js';

const FIRST_CAPACITY = 256;

/**
 * The different objects that the files of an image have, by number. Nearly every file has two xattrs that are made of its
 * object's digest, which the tree holds already: as entries of their own these would be most of what writing an image takes.
 */
export class ObjectTable {
  readonly #digestSize: number;
  /** Which four bytes of a digest tell its slot. Nobody outside knows, so that nobody can choose ids that share one. */
  readonly #hashOffset: number;
  /** Number + 1 of the object that has the slot; 0: none. A power of two, at least twice as many as objects. */
  #slots = new Int32Array(2 * FIRST_CAPACITY);
  /** Where the digest is: the data of which row begin with it. */
  readonly #tables: LeafTable[] = [];
  #rows = new Uint32Array(FIRST_CAPACITY);
  #tableNumbers = new Uint8Array(FIRST_CAPACITY);
  #size = 0;
  /** What {@link id} was asked last: a file needs its id twice. */
  #lastNumber = 0;
  #lastId: ObjectId | undefined;
  /** Has the ids that no file of the tree has as its digest. */
  readonly #others = new LeafTable();

  /** @param digestSize in bytes. */
  constructor(digestSize: number) {
    this.#digestSize = digestSize;
    this.#hashOffset = Math.floor(Math.random() * (digestSize - 3));
  }

  /** The number of the object whose digest the data of a row begin with. */
  add(leaves: LeafTable, row: number): number {
    if (this.#size === this.#rows.length) this.#grow();
    const slot = this.#slotOf(leaves.data(row), leaves.dataOffset(row));
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    const number = this.#size++;
    this.#rows[number] = row;
    this.#tableNumbers[number] = this.#tableNumber(leaves);
    this.#slots[slot] = number + 1;
    return number;
  }

  /** {@link add} of an object that no row begins with. */
  addId(id: ObjectId): number {
    const row = this.#others.add(DEFAULT_DIRECTORY_STAT, {
      type: 'regular',
      file: { storage: 'external', id, size: 0 },
    });
    if (row === undefined) throw new Error(`${id} is no object id`);
    const size = this.#size;
    const number = this.add(this.#others, row);
    if (this.#size === size) this.#others.release(row);
    return number;
  }

  id(number: number): ObjectId {
    if (number !== this.#lastNumber || this.#lastId === undefined) {
      const { data, offset } = this.#digest(number);
      this.#lastNumber = number;
      this.#lastId = trustedObjectId(data.toString('hex', offset, offset + this.#digestSize));
    }
    return this.#lastId;
  }

  #digest(number: number): { readonly data: Buffer; readonly offset: number } {
    const leaves = this.#tables[this.#tableNumbers[number] ?? 0];
    if (leaves === undefined) throw new Error(`there is no object ${number}`);
    const row = this.#rows[number] ?? 0;
    return { data: leaves.data(row), offset: leaves.dataOffset(row) };
  }

  #tableNumber(leaves: LeafTable): number {
    const known = this.#tables.indexOf(leaves);
    return known < 0 ? this.#tables.push(leaves) - 1 : known;
  }

  /** The slot of an equal digest, else the free one where it belongs. */
  #slotOf(data: Buffer, offset: number): number {
    const mask = this.#slots.length - 1;
    const hash = data.readInt32LE(offset + this.#hashOffset);
    let slot = hash & mask;
    for (let known = this.#slots[slot] ?? 0; known > 0; known = this.#slots[slot] ?? 0) {
      const other = this.#digest(known - 1);
      if (this.#areEqual(data, offset, other.data, other.offset)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #areEqual(one: Buffer, oneOffset: number, other: Buffer, otherOffset: number): boolean {
    const size = this.#digestSize;
    return (
      one[oneOffset] === other[otherOffset] &&
      one.compare(other, otherOffset, otherOffset + size, oneOffset, oneOffset + size) === 0
    );
  }

  #grow(): void {
    this.#rows = grown(this.#rows, 2 * this.#rows.length);
    const tableNumbers = new Uint8Array(2 * this.#tableNumbers.length);
    tableNumbers.set(this.#tableNumbers);
    this.#tableNumbers = tableNumbers;
    this.#slots = new Int32Array(2 * this.#slots.length);
    for (let number = 0; number < this.#size; number++) {
      const { data, offset } = this.#digest(number);
      this.#slots[this.#slotOf(data, offset)] = number + 1;
    }
  }
}

/** The xattr of a name that files have because of their objects: the entry of whichever object was selected last. */
export class ObjectXattr implements XattrEntry {
  readonly name: StoredName;
  readonly valueSize: number;
  readonly size: number;
  readonly #objects: ObjectTable;
  /** By the number of the object. */
  #users = new Uint32Array(FIRST_CAPACITY);
  readonly #shared = new Map<number, SharedEntry>();
  #object = 0;

  /** @param valueSize of each, in bytes. */
  constructor(objects: ObjectTable, name: StoredName, valueSize: number) {
    this.#objects = objects;
    this.name = name;
    this.valueSize = valueSize;
    this.size = xattrEntrySize(name.suffix.length, valueSize);
  }

  /** Makes this the entry of an object. */
  select(object: number): this {
    this.#object = object;
    return this;
  }

  get key(): ObjectId {
    return this.#objects.id(this.#object);
  }

  get users(): number {
    return this.#users[this.#object] ?? 0;
  }

  set users(users: number) {
    if (this.#object >= this.#users.length) {
      this.#users = grown(this.#users, Math.max(2 * this.#users.length, this.#object + 1));
    }
    this.#users[this.#object] = users;
  }

  get position(): number {
    return this.#shared.get(this.#object)?.position ?? 0;
  }

  /** The entries of several users. Each gets its position. */
  shared(): SharedEntry[] {
    for (const [object, users] of this.#users.entries()) {
      if (users < 2 || this.#shared.has(object)) continue;
      const { name, valueSize, size } = this;
      this.#shared.set(object, { name, valueSize, size, users, key: this.#objects.id(object), position: 0 });
    }
    return [...this.#shared.values()];
  }
}

function grown(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(column);
  return larger;
}
