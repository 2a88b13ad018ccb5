import type { HashAlgorithm } from '../../composefs/fsverity/algorithm.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStoreMethod } from '../../composefs/repository/object-store.js';
import { SplitStreamWriter } from '../../composefs/splitstream/writer.js';
import { type TarSink, TarSplitter } from '../../tar/splitter.js';
import { addStats, emptyStats, type ImportStats, objectStats } from '../import-stats.js';

/** What a layer needs of an object store. */
export interface LayerStore {
  storeObject(data: Buffer): StoredContent;
  createWriter(): ContentWriter;
}

interface ContentWriter {
  write(chunk: Buffer): void;
  finish(): StoredContent;
  abort(): void;
}

interface StoredContent {
  readonly id: ObjectId;
  readonly method: ObjectStoreMethod;
}

/** A layer whose objects are stored and whose splitstream is written, but not finished. */
export interface SplitLayer {
  readonly writer: SplitStreamWriter;
  readonly stats: ImportStats;
}

/** Takes the tar of a layer in chunks of any sizes. */
export interface LayerSplitter {
  /** The caller may reuse the chunk afterwards. */
  push(chunk: Buffer): void;
  /** @throws TarError if the tar is cut short. */
  finish(): SplitLayer;
  /** Gives up: drops the splitstream, and an object that is being written. After the writer has finished, harmless. */
  abort(): void;
}

/**
 * Splits the tar of a layer (spec 30 §5.1): the contents of large files become objects in `store`, everything else goes
 * into a splitstream.
 *
 * @param contentType - of the splitstream, normally `LAYER_CONTENT_TYPE`
 */
export function splitLayer(algorithm: HashAlgorithm, store: LayerStore, contentType: bigint): LayerSplitter {
  const sink = new LayerSink(store, new SplitStreamWriter(algorithm, contentType));
  const splitter = new TarSplitter(sink);
  return {
    push(chunk) {
      splitter.push(chunk);
    },
    finish() {
      splitter.finish();
      return { writer: sink.writer, stats: sink.stats };
    },
    abort() {
      sink.abort();
    },
  };
}

/** Files up to this size are handed to the store in one piece: it then hashes and looks before it writes. */
const GATHER_LIMIT = 1048576;

class LayerSink implements TarSink {
  readonly writer: SplitStreamWriter;
  readonly #store: LayerStore;
  #stats: ImportStats = emptyStats();
  #bytesInlined = 0;
  #fileSize = 0;
  /** Of a file larger than the limit. */
  #object: ContentWriter | undefined;
  /** Of a file that came in one chunk. */
  #stored: StoredContent | undefined;
  /** For all files that come in several chunks. */
  #buffer: Buffer | undefined;
  #gathered = 0;

  constructor(store: LayerStore, writer: SplitStreamWriter) {
    this.#store = store;
    this.writer = writer;
  }

  get stats(): ImportStats {
    return { ...this.#stats, bytesInlined: this.#bytesInlined };
  }

  inline(data: Buffer): void {
    this.writer.writeInline(data);
    this.#bytesInlined += data.length;
  }

  beginFile(size: number): void {
    this.#fileSize = size;
    if (size > GATHER_LIMIT) this.#object = this.#store.createWriter();
  }

  fileData(chunk: Buffer): void {
    if (this.#object !== undefined) this.#object.write(chunk);
    else if (chunk.length === this.#fileSize) this.#stored = this.#store.storeObject(chunk);
    else {
      this.#buffer ??= Buffer.allocUnsafeSlow(GATHER_LIMIT);
      this.#gathered += chunk.copy(this.#buffer, this.#gathered);
    }
  }

  endFile(): void {
    const { id, method } = this.#finishFile();
    this.writer.addExternalSize(this.#fileSize);
    this.writer.writeReference(id);
    this.#stats = addStats(this.#stats, objectStats(method, this.#fileSize));
  }

  abort(): void {
    this.#object?.abort();
    this.#object = undefined;
    this.writer.dispose();
  }

  #finishFile(): StoredContent {
    const buffer = this.#buffer ?? Buffer.alloc(0);
    const stored =
      this.#object?.finish() ?? this.#stored ?? this.#store.storeObject(buffer.subarray(0, this.#gathered));
    this.#object = undefined;
    this.#stored = undefined;
    this.#gathered = 0;
    return stored;
  }
}
