import { digestSize, type HashAlgorithm } from '../fsverity/algorithm.js';
import { type ObjectId, objectIdFromBytes } from '../fsverity/object-id.js';
import { SplitStreamError } from './format.js';

/** An array of object ids as it is in the file. Ids are made when asked for. */
export class RefTable {
  readonly length: number;
  /** One digest after the other. */
  readonly bytes: Buffer;
  readonly #digestSize: number;

  /** @throws SplitStreamError if `bytes` is not a whole number of digests. */
  constructor(bytes: Buffer, algorithm: HashAlgorithm) {
    this.bytes = bytes;
    this.#digestSize = digestSize(algorithm);
    this.length = bytes.length / this.#digestSize;
    if (!Number.isInteger(this.length)) {
      throw new SplitStreamError(`${bytes.length} bytes are not a multiple of the digest size ${this.#digestSize}`);
    }
  }

  get(index: number): ObjectId | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) return undefined;
    return objectIdFromBytes(this.bytes.subarray(index * this.#digestSize, (index + 1) * this.#digestSize));
  }

  toArray(): ObjectId[] {
    const ids: ObjectId[] = [];
    for (let index = 0; index < this.length; index++) {
      const id = this.get(index);
      if (id !== undefined) ids.push(id);
    }
    return ids;
  }
}
