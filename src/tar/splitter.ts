import { roundUp } from '../bytes/integer.js';
import type { ParsedEntry } from './entry.js';
import { hasFileContent } from './entry-type.js';
import { TAR_BLOCK_SIZE } from './header.js';
import { INLINE_CONTENT_MAX_V0, NO_TAR_LIMITS, type TarLimits, TarMeter } from './limits.js';
import { TarParser } from './parser.js';
import type { SparseFile } from './sparse.js';
import { TarError } from './tar-error.js';

/**
 * Receives a tar, split. All bytes arrive, in order, each once: inline or as file content. How they are cut into calls
 * depends on the chunks that were pushed and means nothing.
 *
 * The buffers are views of the pushed chunks: whoever reuses a chunk after `push` invalidates them.
 */
export interface TarSink {
  /** Headers, padding, small files: whatever is not the content of a large file. Never empty. */
  inline(data: Buffer): void;
  /**
   * A file of more than 64 bytes, with its holes if it has any; exactly `size` bytes of content follow, without the holes.
   * Only a sparse file may have less than 65 bytes of content, also none.
   */
  beginFile(size: number, sparse: SparseFile | undefined): void;
  /** Never empty. */
  fileData(chunk: Buffer): void;
  endFile(): void;
}

/**
 * What the bytes at the current position are:
 *
 * - `header`: a header block, or a block of a sparse file's map; `extension`: data of an extension header; `global`:
 *   likewise, ignored
 * - `file`: content of a large file; `data`: data of any other entry
 * - `padding`: what follows data of any kind
 * - `trailer`: everything after the end of the archive, without end
 */
type State = 'header' | 'extension' | 'global' | 'file' | 'data' | 'padding' | 'trailer';

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Splits a tar into inline bytes and the contents of large files (spec 30 §5.1). Chunks of any sizes are pushed.
 *
 * Content is neither held nor copied; only a header, or the data of an extension header (at most 1 MiB), that a chunk
 * ends in is gathered.
 */
export class TarSplitter {
  readonly #sink: TarSink;
  readonly #meter: TarMeter;
  readonly #parser = new TarParser();
  #state: State = 'header';
  /** Bytes that the state still lasts. */
  #remaining = TAR_BLOCK_SIZE;
  /** Of data of any kind, without padding. */
  #size = 0;
  #sparse: SparseFile | undefined;
  /** The header or extension being read, and how much of it earlier chunks had. */
  #metadata: Buffer = EMPTY;
  #gathered = 0;
  /** Bytes of the tar before the current chunk. */
  #offset = 0;

  constructor(sink: TarSink, limits: TarLimits = NO_TAR_LIMITS) {
    this.#sink = sink;
    this.#meter = new TarMeter(limits);
  }

  /**
   * Takes the next bytes of the tar. After an error the splitter is of no further use.
   *
   * @throws TarError, TarLimitError, and whatever the sink throws
   */
  push(chunk: Buffer): void {
    this.#meter.addBytes(chunk.length);
    let position = 0;
    // Neighbouring inline parts go to the sink together: from here to the position nothing has been passed on.
    let inlineStart = 0;
    while (position < chunk.length) {
      const end = Math.min(position + this.#remaining, chunk.length);
      const part = chunk.subarray(position, end);
      position = end;
      this.#remaining -= part.length;
      if (this.#state === 'file') {
        this.#sink.fileData(part);
        inlineStart = end;
      } else if (this.#state === 'header' || this.#state === 'extension') {
        this.#gather(part);
      }
      if (this.#remaining > 0) break;
      if (this.#complete(this.#offset + end) === 'file') {
        this.#inline(chunk.subarray(inlineStart, end));
        this.#beginFile();
        inlineStart = end;
      }
    }
    this.#inline(chunk.subarray(inlineStart));
    this.#offset += chunk.length;
  }

  /**
   * A tar may end after any entry, without end blocks and padding, as for GNU tar and Go.
   *
   * @throws TarError if it ends in the middle of something.
   */
  finish(): void {
    if (this.#state === 'trailer' || this.#state === 'padding') return;
    if (this.#state === 'header') {
      const isZero = this.#metadata.subarray(0, this.#gathered).every((byte) => byte === 0);
      if (isZero && !this.#parser.isInMap) return;
    }
    const isData = this.#state === 'file' || this.#state === 'data';
    throw new TarError(`unexpected EOF ${isData ? 'reading tar entry' : 'in tar stream'}`, this.#offset);
  }

  /** All bytes of the state are there; they end at `offset` of the tar. Returns the state that follows. */
  #complete(offset: number): State {
    switch (this.#state) {
      case 'header':
        this.#header(this.#takeMetadata(), offset - TAR_BLOCK_SIZE);
        break;
      case 'extension':
        this.#parser.extensionData(this.#takeMetadata());
        this.#padding();
        break;
      case 'file':
        this.#endFile();
        break;
      case 'padding':
        this.#nextHeader();
        break;
      default:
        this.#padding();
    }
    return this.#state;
  }

  #header(block: Buffer, offset: number): void {
    const step = this.#parser.header(block, offset);
    switch (step.type) {
      case 'more':
        this.#nextHeader();
        break;
      case 'extension':
        this.#meter.addExtension(step.size);
        if (step.size === 0) this.#parser.extensionData(EMPTY);
        this.#data('extension', step.size);
        break;
      case 'global':
        this.#data('global', step.size);
        break;
      case 'entry':
        this.#entry(step.entry);
        break;
      case 'end':
        this.#state = 'trailer';
        this.#remaining = Number.POSITIVE_INFINITY;
        break;
    }
  }

  #entry({ type, size, sparse }: ParsedEntry): void {
    this.#meter.addEntry(sparse === undefined ? 0 : sparse.size - size);
    this.#sparse = sparse;
    if (hasFileContent(type) && (sparse?.size ?? size) > INLINE_CONTENT_MAX_V0) {
      this.#state = 'file';
      this.#size = size;
      this.#remaining = size;
    } else {
      this.#data('data', size);
    }
  }

  /** Goes to the state of some data; without any that is over at once. */
  #data(state: 'extension' | 'global' | 'data', size: number): void {
    if (size === 0) this.#nextHeader();
    else {
      this.#state = state;
      this.#size = size;
      this.#remaining = size;
    }
  }

  #padding(): void {
    const padding = roundUp(this.#size, TAR_BLOCK_SIZE) - this.#size;
    if (padding === 0) this.#nextHeader();
    else {
      this.#state = 'padding';
      this.#remaining = padding;
    }
  }

  #nextHeader(): void {
    this.#state = 'header';
    this.#remaining = TAR_BLOCK_SIZE;
  }

  #beginFile(): void {
    this.#sink.beginFile(this.#size, this.#sparse);
    // Nothing but holes.
    if (this.#size === 0) this.#endFile();
  }

  #endFile(): void {
    this.#sink.endFile();
    this.#padding();
  }

  /** Copies a part only if the rest of it comes with a later chunk. */
  #gather(part: Buffer): void {
    if (this.#gathered === 0) {
      this.#metadata = this.#remaining === 0 ? part : Buffer.allocUnsafe(part.length + this.#remaining);
    }
    if (this.#metadata !== part) part.copy(this.#metadata, this.#gathered);
    this.#gathered += part.length;
  }

  #takeMetadata(): Buffer {
    const metadata = this.#metadata;
    this.#metadata = EMPTY;
    this.#gathered = 0;
    return metadata;
  }

  #inline(data: Buffer): void {
    if (data.length > 0) this.#sink.inline(data);
  }
}
