import { roundUp } from '../bytes/integer.js';
import { hasFileContent } from './entry-type.js';
import { BLOCK_SIZE } from './header.js';
import { type ParsedEntry, TarParser } from './parser.js';
import { TarError } from './tar-error.js';

/** Content of a regular file up to this many bytes stays inline (spec 30 §1). */
export const INLINE_CONTENT_MAX_V0 = 64;

/**
 * Receives a tar, split. All bytes arrive, in order, each once: inline or as file content. How they are cut into calls
 * depends on the chunks that were pushed and means nothing.
 *
 * The buffers are views of the pushed chunks: whoever reuses a chunk after `push` invalidates them.
 */
export interface TarSink {
  /** Headers, padding, small files: whatever is not the content of a large file. Never empty. */
  inline(data: Buffer): void;
  /** A file of more than 64 bytes; exactly `size` bytes of content follow. */
  beginFile(size: number): void;
  /** Never empty. */
  fileData(chunk: Buffer): void;
  endFile(): void;
}

/**
 * What the bytes at the current position are:
 *
 * - `header`: a header block; `extension`: data of an extension header, with padding; `global`: likewise, ignored
 * - `file`: content of a large file; `padding`: what follows it
 * - `data`: data of any other entry, with padding
 * - `trailer`: everything after the end of the archive, without end
 */
type State = 'header' | 'extension' | 'global' | 'file' | 'padding' | 'data' | 'trailer';

/** What it means that the tar ends in a state. */
const UNEXPECTED_EOF: Readonly<Record<Exclude<State, 'trailer'>, string>> = {
  header: 'unexpected EOF in tar stream',
  extension: 'unexpected EOF in tar stream',
  global: 'unexpected EOF in tar stream',
  file: 'unexpected EOF reading tar entry',
  padding: 'unexpected EOF reading tar padding',
  data: 'unexpected EOF reading tar entry',
};

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Splits a tar into inline bytes and the contents of large files (spec 30 §5.1). Chunks of any sizes are pushed.
 *
 * Content is neither held nor copied; only a header, or the data of an extension header (at most 1 MiB), that a chunk
 * ends in is gathered.
 */
export class TarSplitter {
  readonly #sink: TarSink;
  readonly #parser = new TarParser();
  #state: State = 'header';
  /** Bytes that the state still lasts. */
  #remaining = BLOCK_SIZE;
  /** Data of the extension, content of the file: without padding. */
  #size = 0;
  /** Nothing has been read since the last entry, so that the tar may end here. */
  #isBetweenEntries = true;
  /** The header or extension being read, and how much of it earlier chunks had. */
  #metadata: Buffer = EMPTY;
  #gathered = 0;
  /** Bytes of the tar before the current chunk. */
  #offset = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /**
   * Takes the next bytes of the tar. After an error the splitter is of no further use.
   *
   * @throws TarError, and whatever the sink throws
   */
  push(chunk: Buffer): void {
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
        this.#sink.beginFile(this.#size);
        inlineStart = end;
      }
    }
    this.#inline(chunk.subarray(inlineStart));
    this.#offset += chunk.length;
  }

  /** @throws TarError if the tar ends in the middle of something; a missing end of archive is fine. */
  finish(): void {
    if (this.#state === 'trailer') return;
    const isAtBoundary = this.#state === 'header' && this.#isBetweenEntries && this.#gathered === 0;
    if (!isAtBoundary) throw new TarError(UNEXPECTED_EOF[this.#state], this.#offset);
  }

  /** All bytes of the state are there; they end at `offset` of the tar. Returns the state that follows. */
  #complete(offset: number): State {
    switch (this.#state) {
      case 'header':
        this.#header(this.#takeMetadata(), offset - BLOCK_SIZE);
        break;
      case 'extension':
        this.#extension(this.#takeMetadata().subarray(0, this.#size));
        break;
      case 'file':
        this.#sink.endFile();
        this.#enter('padding', roundUp(this.#size, BLOCK_SIZE) - this.#size);
        break;
      default:
        this.#nextEntry();
    }
    return this.#state;
  }

  #header(block: Buffer, offset: number): void {
    this.#isBetweenEntries = false;
    const step = this.#parser.header(block, offset);
    switch (step.type) {
      case 'more':
        this.#enter('header', BLOCK_SIZE);
        break;
      case 'extension':
        this.#size = step.size;
        if (step.size === 0) this.#extension(EMPTY);
        else this.#enter('extension', roundUp(step.size, BLOCK_SIZE));
        break;
      case 'global':
        this.#enter('global', roundUp(step.size, BLOCK_SIZE));
        break;
      case 'entry':
        this.#entry(step.entry);
        break;
      case 'sparse':
        throw new TarError('sparse tar entries are not supported', offset);
      case 'end':
        this.#enter('trailer', Number.POSITIVE_INFINITY);
        break;
    }
  }

  #extension(data: Buffer): void {
    this.#parser.extensionData(data);
    this.#enter('header', BLOCK_SIZE);
  }

  #entry({ type, size }: ParsedEntry): void {
    if (hasFileContent(type) && size > INLINE_CONTENT_MAX_V0) {
      this.#size = size;
      this.#enter('file', size);
    } else {
      this.#enter('data', roundUp(size, BLOCK_SIZE));
    }
  }

  /** Goes to a state; one that lasts for no bytes is over at once. */
  #enter(state: State, length: number): void {
    if (length === 0) this.#nextEntry();
    else {
      this.#state = state;
      this.#remaining = length;
    }
  }

  #nextEntry(): void {
    this.#state = 'header';
    this.#remaining = BLOCK_SIZE;
    this.#isBetweenEntries = true;
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
