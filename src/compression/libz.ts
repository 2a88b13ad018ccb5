import { gzipSync } from 'node:zlib';
import { addressOf, type ForeignFunction, loadLibrary, textOf } from '../linux/ffi.js';

/**
 * The zlib in the process: Node's official builds export it, others have a `libz` that does. With it, pieces are decoded into
 * memory that is used again, in a thread of Node's pool; streams of node:zlib make a buffer for each, of which V8 takes so
 * much notice that it collects the whole heap again and again. Source: zlib.h.
 */
export interface LibZ {
  /** A decoder for one gzip member after the other. */
  createDecoder(): GzipDecoder;
}

/** What one decoding step did. */
export interface InflateStep {
  /** Position behind the input that was used. */
  readonly inputEnd: number;
  /** Position behind the output that was written. */
  readonly outputEnd: number;
  /** The member is complete, and what it says of its content is true. */
  readonly memberDone: boolean;
}

/** Data that zlib does not take; the message is zlib's. */
export class InflateError extends Error {}

const Z_OK = 0;
const Z_STREAM_END = 1;
const Z_NO_FLUSH = 0;
/** The largest window, and a gzip header before it. */
const GZIP_WINDOW_BITS = 15 + 16;

/**
 * `z_stream` where `long` and pointers have 64 bits: next_in @0, avail_in @8, total_in @16, next_out @24, avail_out @32,
 * total_out @40, msg @48, state @56, zalloc @64, zfree @72, opaque @80, data_type @88, adler @96, reserved @104.
 */
const STREAM_SIZE = 112;
const NEXT_IN = 0;
const AVAIL_IN = 8;
const NEXT_OUT = 24;
const AVAIL_OUT = 32;
const MSG = 48;

/** Those with such a `z_stream`, and numbers whose lowest byte comes first. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

interface Functions {
  readonly init: ForeignFunction;
  readonly inflate: ForeignFunction;
  readonly reset: ForeignFunction;
  readonly end: ForeignFunction;
  readonly version: string;
}

let loaded: { readonly library: LibZ | null } | undefined;

/** Null where it cannot be called. */
export function loadLibZ(): LibZ | null {
  loaded ??= { library: bindLibZ() };
  return loaded.library;
}

function bindLibZ(): LibZ | null {
  if (!ARCHITECTURES.includes(process.arch)) return null;
  try {
    const library = loadLibrary([null]);
    const functions: Functions = {
      init: library.func('int inflateInit2_(void *, int, const char *, int)'),
      inflate: library.func('int inflate(void *, int)'),
      reset: library.func('int inflateReset(void *)'),
      end: library.func('int inflateEnd(void *)'),
      version: library.func('const char *zlibVersion()')(),
    };
    return isRight(functions) ? { createDecoder: () => new GzipDecoder(functions) } : null;
  } catch {
    return null;
  }
}

/** Whether known bytes are decoded as they should be. */
function isRight(functions: Functions): boolean {
  const known = Buffer.alloc(1000, 'known');
  const input = gzipSync(known);
  const output = Buffer.alloc(1010);
  const decoder = new GzipDecoder(functions);
  try {
    const { inputEnd, outputEnd, memberDone } = decoder.step(input, 0, output, 5);
    return memberDone && inputEnd === input.length && known.equals(output.subarray(5, outputEnd));
  } finally {
    decoder.free();
  }
}

/** One decoder. It goes on with the next member after {@link nextMember}. */
export class GzipDecoder {
  readonly #functions: Functions;
  /** Off the heap, where V8 does not move it; zlib knows its address. */
  readonly #stream = Buffer.from(new ArrayBuffer(STREAM_SIZE));
  #isOpen = true;

  constructor(functions: Functions) {
    this.#functions = functions;
    const code = functions.init(this.#stream, GZIP_WINDOW_BITS, functions.version, STREAM_SIZE);
    if (code !== Z_OK) throw new InflateError(`inflateInit2 failed with ${code}`);
  }

  /**
   * Decodes `input` from `inputStart` into `output` from `outputStart`, as far as both reach: a byte at least.
   *
   * @throws InflateError
   */
  step(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): InflateStep {
    this.#prepare(input, inputStart, output, outputStart);
    return this.#result(this.#functions.inflate(this.#stream, Z_NO_FLUSH), input, output);
  }

  /** {@link step} on another thread. Neither buffer may be touched, nor the decoder freed, before it settles. */
  async stepAsync(
    input: Uint8Array,
    inputStart: number,
    output: Uint8Array,
    outputStart: number,
  ): Promise<InflateStep> {
    this.#prepare(input, inputStart, output, outputStart);
    const code = await new Promise<number>((resolve, reject) => {
      this.#functions.inflate.async(this.#stream, Z_NO_FLUSH, (error: unknown, result: number) => {
        if (error === null || error === undefined) resolve(result);
        else reject(error);
      });
    });
    return this.#result(code, input, output);
  }

  nextMember(): void {
    this.#functions.reset(this.#stream);
  }

  free(): void {
    if (this.#isOpen) this.#functions.end(this.#stream);
    this.#isOpen = false;
  }

  #prepare(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): void {
    const stream = this.#stream;
    stream.writeBigUInt64LE(addressOf(input) + BigInt(inputStart), NEXT_IN);
    stream.writeUInt32LE(input.length - inputStart, AVAIL_IN);
    stream.writeBigUInt64LE(addressOf(output) + BigInt(outputStart), NEXT_OUT);
    stream.writeUInt32LE(output.length - outputStart, AVAIL_OUT);
  }

  /** Takes both buffers, so that they are kept until now. */
  #result(code: number, input: Uint8Array, output: Uint8Array): InflateStep {
    if (code !== Z_OK && code !== Z_STREAM_END) throw this.#failure(code);
    return {
      inputEnd: input.length - this.#stream.readUInt32LE(AVAIL_IN),
      outputEnd: output.length - this.#stream.readUInt32LE(AVAIL_OUT),
      memberDone: code === Z_STREAM_END,
    };
  }

  #failure(code: number): InflateError {
    const hasMessage = this.#stream.readBigUInt64LE(MSG) !== 0n;
    return new InflateError(hasMessage ? textOf(this.#stream, MSG) : `zlib error ${code}`);
  }
}
