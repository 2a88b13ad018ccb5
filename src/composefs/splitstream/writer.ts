import type { ZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError } from '../../errors.js';
import { Spool, type SpoolOptions } from '../../fs/spool.js';
import { digestSize, type HashAlgorithm } from '../fsverity/algorithm.js';
import { ObjectIdTable } from '../fsverity/id-table.js';
import type { ObjectId } from '../fsverity/object-id.js';
import {
  CHUNK_HEADER_SIZE,
  type DetachedRef,
  formatHeader,
  formatInfo,
  HEADER_SIZE,
  INFO_SIZE,
  LONG_INFO_SIZE,
  type SplitStreamInfo,
} from './format.js';
import { formatNamedRefs, NO_NAMED_REFS } from './named-refs.js';

/** The place of an object in a stream that is being written. */
export interface ReservedReference {
  /** Offset in the body, in bytes. */
  readonly position: number;
}

/**
 * Builds a splitstream file (spec 30 §3.1). The order of the calls decides the bytes: refs are numbered in the order
 * in which they first appear.
 */
export class SplitStreamWriter {
  readonly #algorithm: HashAlgorithm;
  readonly #contentType: bigint;
  readonly #spoolOptions: SpoolOptions;
  readonly #streamRefs: ObjectIdTable;
  readonly #objectRefs: ObjectIdTable;
  readonly #namedRefs = new Map<string, number>();
  readonly #detachedRefs: (readonly [index: number, size: number])[] = [];
  /** The chunks, not compressed yet. */
  readonly #body: Spool;
  /** Where the current inline chunk began; its length is filled in when it ends. */
  #inlineStart: number | undefined;
  #totalSize = 0;
  /** Where in the body references without an id yet are, oldest first. */
  readonly #reserved: number[] = [];

  /** @internal `contentType`: any u64. */
  constructor(algorithm: HashAlgorithm, contentType: bigint, spoolOptions: SpoolOptions = {}) {
    this.#algorithm = algorithm;
    this.#contentType = contentType;
    this.#spoolOptions = spoolOptions;
    this.#streamRefs = new ObjectIdTable(digestSize(algorithm));
    this.#objectRefs = new ObjectIdTable(digestSize(algorithm));
    this.#body = new Spool(spoolOptions);
  }

  /** Appends bytes of the stream. Adjacent inline data always becomes one chunk. */
  writeInline(data: Uint8Array): void {
    if (data.length === 0) return;
    this.#addSize(data.length);
    if (this.#inlineStart === undefined) {
      this.#inlineStart = this.#body.size;
      this.#body.append(formatChunkHeader(0));
    }
    this.#body.append(data);
  }

  /** Appends an object of the stream. Its size is added by {@link addExternalSize}. */
  writeReference(id: ObjectId): void {
    this.#endInline();
    this.#body.append(formatChunkHeader(this.#objectRefs.add(id)));
  }

  /**
   * @internal
   * Appends an object whose id is told later, by {@link fillReference}, in the order of the reservations: refs are
   * numbered then.
   */
  reserveReference(): ReservedReference {
    this.#endInline();
    const position = this.#body.size;
    this.#body.append(formatChunkHeader(0));
    this.#reserved.push(position);
    return { position };
  }

  /** @internal */
  fillReference({ position }: ReservedReference, id: ObjectId): void {
    if (this.#reserved.shift() !== position) {
      throw new ComposefsError('REFERENCE_ORDER', 'references must be filled in the order of their reservation');
    }
    this.#body.patch(position, formatChunkHeader(this.#objectRefs.add(id)));
  }

  /** Adds the size of an object, in bytes, to the size of the stream. */
  addExternalSize(size: number): void {
    this.#addSize(size);
  }

  /** Lists an object without using it in the stream. Returns its index. */
  addObjectRef(id: ObjectId): number {
    return this.#objectRefs.add(id);
  }

  /**
   * @internal
   * Appends to the list of objects that belong to the stream and are no part of it. Without any the file is as the
   * reference writes it.
   */
  addDetachedRef({ id, size }: DetachedRef): void {
    this.#detachedRefs.push([this.#objectRefs.add(id), size]);
  }

  /** The index of an object that the file lists already. */
  lookupObjectRef(id: ObjectId): number | undefined {
    return this.#objectRefs.lookup(id);
  }

  /** Names another stream. A name used again gets the new id, but the file still lists the id before. */
  addNamedStreamRef(name: string, id: ObjectId): void {
    this.#namedRefs.set(name, this.#streamRefs.add(id));
  }

  /** @internal Ends the stream. Returns the bytes of the whole file; the writer cannot be used any more. */
  finish(encode: ZstdEncode): Spool {
    if (this.#reserved.length > 0) {
      throw new ComposefsError('REFERENCE_ORDER', `${this.#reserved.length} references have no object`);
    }
    const file = new Spool(this.#spoolOptions);
    try {
      this.#endInline();
      const hasDetached = this.#detachedRefs.length > 0;
      const infoSize = hasDetached ? LONG_INFO_SIZE : INFO_SIZE;
      file.append(formatHeader(this.#algorithm, infoSize));
      file.append(Buffer.alloc(infoSize)); // overwritten below, when the ranges are known
      const streamRefs = appendSection(file, [this.#streamRefs.toBytes()]);
      const objectRefs = appendSection(file, [this.#objectRefs.toBytes()]);
      const detachedRefs = hasDetached ? appendSection(file, [formatDetachedRefs(this.#detachedRefs)]) : undefined;
      // Layers have none: for small ones that saves half of the encoder's work.
      const hasNames = this.#namedRefs.size > 0;
      const names = hasNames ? encode([formatNamedRefs(this.#namedRefs)]) : [NO_NAMED_REFS];
      const namedRefs = appendSection(file, names);
      const stream = appendSection(file, encode(this.#body.chunks()));
      const streamSize = BigInt(this.#totalSize);
      const info: SplitStreamInfo = {
        streamRefs,
        objectRefs,
        stream,
        namedRefs,
        ...(detachedRefs !== undefined && { detachedRefs }),
        contentType: this.#contentType,
        streamSize,
      };
      file.patch(HEADER_SIZE, formatInfo(info));
      return file;
    } catch (error) {
      file.dispose();
      throw error;
    } finally {
      this.dispose();
    }
  }

  /** Frees what the writer holds, when it is not to be finished. */
  dispose(): void {
    this.#body.dispose();
  }

  #addSize(size: number): void {
    const total = this.#totalSize + size;
    if (size < 0 || !Number.isSafeInteger(total)) {
      throw new ComposefsError('INTEGER_TOO_LARGE', `splitstream size ${total} is beyond the supported range`);
    }
    this.#totalSize = total;
  }

  #endInline(): void {
    if (this.#inlineStart === undefined) return;
    const length = this.#body.size - this.#inlineStart - CHUNK_HEADER_SIZE;
    this.#body.patch(this.#inlineStart, formatChunkHeader(-length));
    this.#inlineStart = undefined;
  }
}

/** There are two for each object. The spool copies it. */
const chunkHeader = Buffer.alloc(CHUNK_HEADER_SIZE);

/** Negative: the length of the inline data that follows. Otherwise: the index of an object ref (spec 30 §2.2). */
function formatChunkHeader(value: number): Buffer {
  chunkHeader.writeInt32LE(value | 0, 0);
  chunkHeader.writeInt32LE(Math.floor(value / 2 ** 32), 4);
  return chunkHeader;
}

function formatDetachedRefs(refs: readonly (readonly [index: number, size: number])[]): Buffer {
  const bytes = Buffer.alloc(16 * refs.length);
  for (const [position, [index, size]] of refs.entries()) {
    bytes.writeBigUInt64LE(BigInt(index), 16 * position);
    bytes.writeBigUInt64LE(BigInt(size), 16 * position + 8);
  }
  return bytes;
}

function appendSection(file: Spool, pieces: Iterable<Uint8Array>): { start: bigint; end: bigint } {
  const start = BigInt(file.size);
  for (const piece of pieces) file.append(piece);
  return { start, end: BigInt(file.size) };
}
