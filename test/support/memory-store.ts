import type { HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import type { ObjectStoreMethod } from '../../src/composefs/repository/objects/stored-object.js';
import type { HashedSink, ObjectSink } from '../../src/oci/import/layer/object-queue.js';

interface Stored {
  readonly id: ObjectId;
  readonly size: number;
  readonly method: ObjectStoreMethod;
}

/** Objects in memory. */
export class MemoryStore implements ObjectSink, HashedSink {
  readonly algorithm: HashAlgorithm;
  readonly objects: Map<ObjectId, Buffer> = new Map();
  /** Writers that were neither finished nor aborted. */
  openWriters = 0;

  constructor(algorithm: HashAlgorithm = 'sha256') {
    this.algorithm = algorithm;
  }

  storeObject(data: Uint8Array): Stored {
    return this.storeHashed(computeVerity(this.algorithm, data), data);
  }

  storeHashed(id: ObjectId, data: Uint8Array): Stored {
    const method = this.objects.has(id) ? 'already-present' : 'copied';
    this.objects.set(id, Buffer.from(data));
    return { id, size: data.length, method };
  }

  createWriter(): {
    write(chunk: Uint8Array): void;
    writeZeros(length: number): void;
    finish(): Stored;
    abort(): void;
  } {
    const chunks: Buffer[] = [];
    this.openWriters++;
    return {
      write: (chunk) => {
        chunks.push(Buffer.from(chunk));
      },
      writeZeros: (length) => {
        chunks.push(Buffer.alloc(length));
      },
      finish: () => {
        this.openWriters--;
        return this.storeObject(Buffer.concat(chunks));
      },
      abort: () => {
        this.openWriters--;
      },
    };
  }

  readObject(id: ObjectId): Buffer {
    const data = this.objects.get(id);
    if (data === undefined) throw new Error(`object ${id} not found`);
    return data;
  }
}
