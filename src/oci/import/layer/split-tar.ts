import type { HashAlgorithm } from '../../../composefs/fsverity/algorithm.js';
import { SplitStreamWriter } from '../../../composefs/splitstream/writer.js';
import { SparseExpander } from '../../../tar/expand-sparse.js';
import { NO_TAR_LIMITS, type TarLimits } from '../../../tar/limits.js';
import type { SparseFile } from '../../../tar/sparse.js';
import { type TarSink, TarSplitter } from '../../../tar/splitter.js';
import { GatheredPieces } from './gathered-pieces.js';
import { addStats, emptyStats, type ImportStats, objectStats } from './import-stats.js';
import { type ContentWriter, MAX_QUEUED_OBJECT, type ObjectQueue, type StoredContent } from './object-queue.js';

/** A tar whose splitstream is written, but not finished: that is possible when the queue is drained. */
export interface SplitTar {
  readonly writer: SplitStreamWriter;
  /** Of the objects that are stored by now. */
  readonly stats: ImportStats;
}

/** Takes the tar of a layer in chunks of any sizes. */
export interface LayerSplitter {
  /** The caller may reuse the chunk afterwards. */
  push(chunk: Buffer): void;
  /** No more chunks come. @throws TarError if the tar is cut short. */
  finish(): SplitTar;
  /** Gives up: drops the splitstream, and an object that is being written. After the writer has finished, harmless. */
  abort(): void;
}

/**
 * Splits the tar of a layer (spec 30 §5.1): the contents of large files become objects in `queue`, everything else goes
 * into a splitstream. A sparse file becomes two objects, its data as the tar has them and the file with its holes; the
 * second is listed as detached from the stream, in the order of the sparse files (docs/open-points.md).
 *
 * @param contentType - of the splitstream, normally `LAYER_CONTENT_TYPE`
 */
export function splitTar(
  algorithm: HashAlgorithm,
  queue: ObjectQueue,
  contentType: bigint,
  limits: TarLimits = NO_TAR_LIMITS,
): LayerSplitter {
  const sink = new LayerSink(queue, new SplitStreamWriter(algorithm, contentType));
  const splitter = new TarSplitter(sink, limits);
  return {
    push(chunk) {
      splitter.push(chunk);
    },
    finish() {
      splitter.finish();
      return sink;
    },
    abort() {
      sink.abort();
    },
  };
}

class LayerSink implements TarSink, SplitTar {
  readonly writer: SplitStreamWriter;
  readonly #queue: ObjectQueue;
  #stats: ImportStats = emptyStats();
  #bytesInlined = 0;
  #fileSize = 0;
  /** The whole of a file that came in one chunk. */
  #whole: Buffer | undefined;
  readonly #pieces: GatheredPieces;
  /** Whether the file comes in several chunks. */
  #isInPieces = false;
  #expanded: ExpandedFile | undefined;

  constructor(queue: ObjectQueue, writer: SplitStreamWriter) {
    this.#queue = queue;
    this.#pieces = new GatheredPieces(queue);
    this.writer = writer;
  }

  get stats(): ImportStats {
    return { ...this.#stats, bytesInlined: this.#bytesInlined };
  }

  inline(data: Buffer): void {
    this.writer.writeInline(data);
    this.#bytesInlined += data.length;
  }

  beginFile(size: number, sparse: SparseFile | undefined): void {
    this.#fileSize = size;
    if (sparse !== undefined) this.#expanded = new ExpandedFile(sparse, this.#queue.createWriter());
  }

  fileData(chunk: Buffer): void {
    this.#expanded?.expander.write(chunk);
    if (chunk.length === this.#fileSize && chunk.length <= MAX_QUEUED_OBJECT) {
      this.#whole = chunk;
      return;
    }
    if (!this.#isInPieces) this.#pieces.begin(this.#fileSize);
    this.#isInPieces = true;
    this.#pieces.write(chunk);
  }

  endFile(): void {
    // A sparse file may be nothing but holes.
    if (this.#fileSize > 0) this.#endContent(this.#fileSize);
    if (this.#expanded !== undefined) this.#endExpanded(this.#expanded);
  }

  #endContent(size: number): void {
    const reference = this.writer.reserveReference();
    this.writer.addExternalSize(size);
    const stored = ({ id, method }: StoredContent): void => {
      this.writer.fillReference(reference, id);
      this.#stats = addStats(this.#stats, objectStats(method, size));
    };
    if (this.#whole === undefined) this.#pieces.end(stored);
    else this.#queue.queueObject(this.#whole, stored);
    this.#whole = undefined;
    this.#isInPieces = false;
  }

  #endExpanded({ file, expander, object }: ExpandedFile): void {
    expander.finish();
    this.#queue.queueStored(object.finish(), ({ id, method }) => {
      this.writer.addDetachedRef({ id, size: file.size });
      this.#stats = addStats(this.#stats, objectStats(method, file.size));
    });
    this.#expanded = undefined;
  }

  abort(): void {
    this.#pieces.abort();
    this.#expanded?.object.abort();
    this.#expanded = undefined;
    this.writer.dispose();
  }
}

/** A sparse file with its holes, as it becomes an object. */
class ExpandedFile {
  readonly file: SparseFile;
  readonly object: ContentWriter;
  readonly expander: SparseExpander;

  constructor(file: SparseFile, object: ContentWriter) {
    this.file = file;
    this.object = object;
    this.expander = new SparseExpander(file, object);
  }
}
