import type { StagedFile } from '../../../fs/staged-file.js';
import { reserveDescriptors } from '../../../linux/descriptor-table.js';
import { descriptorLimit } from '../../../linux/process.js';
import type { ObjectId } from '../../fsverity/object-id.js';

/**
 * One sync serves so many objects, where the process may have many files open: a layer of an ordinary image. A sync is
 * what a disk takes long for, an open file costs the kernel less than a kilobyte.
 */
const MAX_OBJECTS = 32_768;
/** Several threads store at once, and other things need descriptors too: each thread may have this part of them... */
const SHARE_OF_DESCRIPTORS = 1 / 16;
/** ...and more as long as no more than this part is open. The kernel gives the lowest number, which tells. */
const FREE_DESCRIPTORS = 5 / 8;

/** So many objects are most likely followed by many more... */
const MANY = 64;
/** ...all of which these are enough for, as a rule. */
const USUAL_DESCRIPTORS = 16_384;

/** An object that is written, under no name yet. */
export interface UnnamedObject {
  readonly file: StagedFile;
  readonly size: number;
}

/**
 * Objects that wait for their names until their data is on disk. A file system may bring a name to disk before the data
 * of the file: a power cut would leave an empty file of the name of the object.
 */
export class UnnamedObjects {
  readonly #fd: number;
  readonly #limit: number;
  readonly #descriptors = descriptorLimit();
  readonly #objects = new Map<ObjectId, UnnamedObject>();
  #taken = 0;
  /** The descriptor of the last one. */
  #last = 0;

  /** @param fd stays open while there are any: that of the repository. */
  constructor(fd: number, limit: number = MAX_OBJECTS) {
    this.#fd = fd;
    this.#limit = limit;
  }

  /** Whether no more should be added before those that are there are named. */
  get isFull(): boolean {
    const { size } = this.#objects;
    const isOverShare = size >= this.#descriptors * SHARE_OF_DESCRIPTORS;
    return size >= this.#limit || (isOverShare && this.#last >= this.#descriptors * FREE_DESCRIPTORS);
  }

  has(id: ObjectId): boolean {
    return this.#objects.has(id);
  }

  /** Owns the file from now on. */
  add(id: ObjectId, object: UnnamedObject): void {
    this.#objects.set(id, object);
    this.#last = object.file.fd;
    if (this.#objects.size === MANY) void reserveDescriptors(this.#fd, USUAL_DESCRIPTORS);
  }

  /** Takes all of them out, for the caller to name. */
  take(): [ObjectId, UnnamedObject][] {
    return this.takeSince(0);
  }

  /** How many there have been so far. */
  get count(): number {
    return this.#taken + this.#objects.size;
  }

  /** Takes those out that came when there had been so many. */
  takeSince(count: number): [ObjectId, UnnamedObject][] {
    const objects = [...this.#objects].slice(Math.max(0, count - this.#taken));
    for (const [id] of objects) this.#objects.delete(id);
    this.#taken += objects.length;
    return objects;
  }
}
