import { truncatedData } from '../stream/compression-error.js';
import { ZstdFrameSplitter } from './frame.js';
import { type LibZstd, type LibZstdDecoder, loadLibZstd } from './libzstd.js';
import { ScriptedFrameDecoder } from './script.js';

const OUTPUT_SIZE = 131072;

/**
 * Decodes Zstandard data synchronously: concatenated frames, skippable frames, windows of up to 2^27 bytes.
 * Output comes in pieces of at most 128 KiB, which belong to the caller.
 *
 * Uses libzstd where it can be called, else JavaScript (slower, and it does not check content checksums).
 */
export class ZstdDecoder {
  readonly #decoder: SyncDecoder;

  /** `library`: which libzstd to use, null for none. */
  constructor(library: LibZstd | null = loadLibZstd()) {
    this.#decoder = library === null ? new ScriptedZstdDecoder() : new NativeZstdDecoder(library);
  }

  /** @throws CompressionError on data that is not Zstandard, or is damaged. */
  push(chunk: Uint8Array): Generator<Buffer> {
    return this.#decoder.push(chunk);
  }

  /** Ends the input and frees the decoder. @throws CompressionError if a frame is incomplete or there was none. */
  finish(): void {
    try {
      this.#decoder.finish();
    } finally {
      this.#decoder.close();
    }
  }

  /** Frees the decoder without checks. May be called more than once. */
  close(): void {
    this.#decoder.close();
  }
}

interface SyncDecoder {
  push(chunk: Uint8Array): Generator<Buffer>;
  finish(): void;
  close(): void;
}

/** What is decoded is copied out of it before anything else runs: all decoders of the thread share one. */
let output: Buffer | undefined;

/** Frees the native memory of decoders that were dropped without `close()`. */
const abandoned = new FinalizationRegistry<LibZstdDecoder>((decoder) => decoder.free());

class NativeZstdDecoder implements SyncDecoder {
  readonly #decoder: LibZstdDecoder;
  #frameDone = false;

  constructor(library: LibZstd) {
    this.#decoder = library.createDecoder();
    abandoned.register(this, this.#decoder, this);
  }

  *push(chunk: Uint8Array): Generator<Buffer> {
    let position = 0;
    let outputFull = false;
    output ??= Buffer.allocUnsafeSlow(OUTPUT_SIZE);
    while (position < chunk.length || outputFull) {
      const step = this.#decoder.step(chunk, position, output, 0);
      position = step.inputEnd;
      outputFull = step.outputEnd === OUTPUT_SIZE && !step.frameDone;
      this.#frameDone = step.frameDone;
      if (step.outputEnd > 0) yield Buffer.from(output.subarray(0, step.outputEnd));
    }
  }

  finish(): void {
    if (!this.#frameDone) throw truncatedData('zstd');
  }

  close(): void {
    abandoned.unregister(this);
    this.#decoder.free();
  }
}

/** Decodes frame by frame and block by block in JavaScript. */
class ScriptedZstdDecoder implements SyncDecoder {
  readonly #splitter = new ZstdFrameSplitter();
  #frame: ScriptedFrameDecoder | undefined;

  *push(chunk: Uint8Array): Generator<Buffer> {
    for (const part of this.#splitter.push(chunk)) {
      if (part.header !== undefined) this.#frame = new ScriptedFrameDecoder(part.header);
      const content = this.#frame?.decode(part);
      if (content !== undefined && content.length > 0) yield content;
    }
  }

  finish(): void {
    this.#splitter.finish();
  }

  close(): void {
    this.#frame = undefined;
  }
}
