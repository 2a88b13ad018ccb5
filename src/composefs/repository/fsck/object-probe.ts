import { closeSync } from 'node:fs';
import { fullMessage } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { isErrno } from '../../../fs/files.js';
import { digestSize } from '../../fsverity/algorithm.js';
import { ObjectIdTable } from '../../fsverity/id-table.js';
import { type ObjectId, objectIdFromBytes, objectIdToBytes } from '../../fsverity/object-id.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECT_DIRECTORIES, OBJECTS } from '../objects/object-directory.js';

export type ObjectState = 'present' | 'missing' | { readonly problem: string };

/** Whether objects can be opened. Most are needed by several images and streams, so the answers are kept. */
export class ObjectProbe {
  readonly #repository: RepositoryHost;
  readonly #listsOnly: boolean;
  readonly #idLength: number;
  readonly #present: ObjectIdTable;
  readonly #others = new Map<ObjectId, ObjectState>();
  /** By their number, 1 of the directories of which {@link #present} has all. */
  readonly #listed = new Uint8Array(OBJECT_DIRECTORIES);

  /**
   * @param listsOnly the content of the objects is checked as well: what is listed can be taken for present unless that
   *   check finds something. To open each takes longer than all else that is done for streams and images.
   */
  constructor(repository: RepositoryHost, listsOnly: boolean) {
    const size = digestSize(repository.objects.algorithm);
    this.#repository = repository;
    this.#listsOnly = listsOnly;
    this.#idLength = 2 * size;
    this.#present = new ObjectIdTable(size);
  }

  probe(id: ObjectId): ObjectState {
    return this.probeBytes(objectIdToBytes(id), 0);
  }

  /** {@link probe} of the object whose digest lies in `bytes` from `start` on. */
  probeBytes(bytes: Buffer, start: number): ObjectState {
    if (this.#listsOnly) this.#list(bytes[start] ?? 0);
    if (this.#present.lookupBytes(bytes, start) !== undefined) return 'present';
    const id = objectIdFromBytes(bytes.subarray(start, start + this.#idLength / 2));
    let state = this.#others.get(id);
    if (state === undefined) {
      state = this.#open(id);
      if (state === 'present') this.#present.add(id);
      else this.#others.set(id, state);
    }
    return state;
  }

  #list(number: number): void {
    if (this.#listed[number] === 1) return;
    this.#listed[number] = 1;
    const directory = number.toString(16).padStart(2, '0');
    try {
      for (const name of this.#repository.root.within(`${OBJECTS}/${directory}`, listNames)) {
        const isId = name.length === this.#idLength - directory.length && /^[0-9a-f]*$/.test(name);
        if (isId) this.#present.add(`${directory}${name}` as ObjectId);
      }
    } catch {
      // Why none of them can be opened is found out when they are.
    }
  }

  #open(id: ObjectId): ObjectState {
    try {
      closeSync(this.#repository.objects.openObject(id));
      return 'present';
    } catch (error) {
      return isErrno(error, 'ENOENT') ? 'missing' : { problem: fullMessage(error) };
    }
  }
}
