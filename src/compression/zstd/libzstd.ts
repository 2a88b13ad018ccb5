import { isMainThread } from 'node:worker_threads';
import { ComposefsError } from '../../errors.js';
import { loadLibrary } from '../../linux/ffi.js';
import { invalidData } from '../stream/compression-error.js';

/**
 * libzstd, called natively: the copy inside the Node process (Node 22.15 and later export it) or else the system's
 * `libzstd.so.1`. Source: zstd.h; the `simpleArgs` forms are those without structures.
 */
export interface LibZstd {
  /** `MAJOR * 10000 + MINOR * 100 + RELEASE`. */
  readonly versionNumber: number;
  createDecoder(): LibZstdDecoder;
  /** Of level 3, that of splitstreams, one context is kept for the next frame: to make it is more work than a small frame. */
  createEncoder(level: number): LibZstdEncoder;
}

/** What one decoding step did. */
export interface DecodeStep {
  /** Position behind the input that was used. */
  readonly inputEnd: number;
  /** Position behind the output that was written. */
  readonly outputEnd: number;
  /** A frame was completely decoded and its output handed out. */
  readonly frameDone: boolean;
}

/** One decoding context. It goes on with the next frame by itself and skips skippable frames. */
export interface LibZstdDecoder {
  /** Decodes `input` from `inputStart` into `output` from `outputStart`, as far as both reach. */
  step(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): DecodeStep;
  /** {@link step} on another thread. Neither buffer may be touched, nor the decoder freed, before it settles. */
  stepAsync(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): Promise<DecodeStep>;
  free(): void;
}

/** One frame of unknown content size. */
export interface LibZstdEncoder {
  push(chunk: Uint8Array): Generator<Buffer>;
  /** Ends the frame with an end operation that carries no data. */
  finish(): Generator<Buffer>;
  free(): void;
}

/**
 * The process itself first. Where it exports libzstd a second copy must not be loaded beside it: the linker would bind
 * the second one's internal calls to the first, and mix two releases.
 */
const LIBRARIES = [null, 'libzstd.so.1'];
const MINIMUM_VERSION = 10400;

const ZSTD_C_COMPRESSION_LEVEL = 100;
const ZSTD_E_CONTINUE = 0;
const ZSTD_E_END = 2;
const ZSTD_RESET_SESSION_ONLY = 1;
/** Higher levels have contexts of up to 700 MB. */
const KEPT_LEVEL = 3;
const OUTPUT_SIZE = 131072;

let loaded: { readonly library: LibZstd | null } | undefined;

/** libzstd, or null where neither the process nor the system has one that can be called. */
export function loadLibZstd(): LibZstd | null {
  loaded ??= { library: firstLibZstd() };
  return loaded.library;
}

function firstLibZstd(): LibZstd | null {
  for (const name of LIBRARIES) {
    const library = bindLibZstd(name);
    if (library !== null) return library;
  }
  return null;
}

/**
 * Binds the libzstd of a shared library, null for the process itself; null if there is none or it is too old. Never bind
 * two.
 */
function bindLibZstd(name: string | null): LibZstd | null {
  let functions: Functions;
  try {
    functions = bindFunctions(name);
  } catch {
    return null;
  }
  const versionNumber = functions.versionNumber();
  if (versionNumber < MINIMUM_VERSION) return null;
  return {
    versionNumber,
    createDecoder: () => new NativeDecoder(functions),
    createEncoder: (level) => {
      const kept = level === KEPT_LEVEL ? functions.kept.pop() : undefined;
      return new NativeEncoder(functions, level, kept ?? encoderContext(functions, level));
    },
  };
}

/** What an encoder works with, one frame after the other. */
interface EncoderContext {
  readonly context: Context;
  readonly output: Buffer;
}

function encoderContext(functions: Functions, level: number): EncoderContext {
  const context = madeContext(functions.createCCtx());
  checkResult(functions, functions.setParameter(context, ZSTD_C_COMPRESSION_LEVEL, level));
  return { context, output: Buffer.allocUnsafeSlow(OUTPUT_SIZE) };
}

let freesAtExit = false;

function keepEncoder({ kept, freeCCtx }: Functions, own: EncoderContext): void {
  kept.push(own);
  if (isMainThread || freesAtExit) return;
  freesAtExit = true;
  // The memory is that of the process, which may start a thread for each pull.
  process.once('exit', () => {
    for (const { context } of kept.splice(0)) freeCCtx(context);
  });
}

type Context = bigint;
/** `size_t`; error codes come as bigint, since they are near 2^64. */
type Size = number | bigint;
type Positions = BigUint64Array;

interface DecompressStream {
  (...args: DecompressArguments): Size;
  async(...args: [...DecompressArguments, (error: unknown, result: Size) => void]): void;
}
type DecompressArguments = [
  context: Context,
  output: Uint8Array,
  outputSize: number,
  outputPosition: Positions,
  input: Uint8Array,
  inputSize: number,
  inputPosition: Positions,
];

interface Functions {
  versionNumber(): number;
  isError(code: Size): number;
  getErrorName(code: Size): string;
  createDCtx(): Context | null;
  sizeofDCtx(context: Context): Size;
  /** 0, or an error. */
  resetDCtx(context: Context, directive: number): Size;
  freeDCtx(context: Context): Size;
  decompressStream: DecompressStream;
  createCCtx(): Context | null;
  freeCCtx(context: Context): Size;
  setParameter(context: Context, parameter: number, value: number): Size;
  resetCCtx(context: Context, directive: number): Size;
  /** Of {@link KEPT_LEVEL}, none or one. */
  readonly kept: EncoderContext[];
  compressStream(...args: [...DecompressArguments, endOperation: number]): Size;
}

function bindFunctions(name: string | null): Functions {
  const library = loadLibrary([name]);
  const stream = 'void *, void *, size_t, void *, void *, size_t, void *';
  return {
    versionNumber: library.func('uint32_t ZSTD_versionNumber()'),
    isError: library.func('uint32_t ZSTD_isError(size_t)'),
    getErrorName: library.func('const char *ZSTD_getErrorName(size_t)'),
    createDCtx: library.func('void *ZSTD_createDCtx()'),
    sizeofDCtx: library.func('size_t ZSTD_sizeof_DCtx(void *)'),
    resetDCtx: library.func('size_t ZSTD_DCtx_reset(void *, int)'),
    freeDCtx: library.func('size_t ZSTD_freeDCtx(void *)'),
    decompressStream: library.func(`size_t ZSTD_decompressStream_simpleArgs(${stream})`),
    createCCtx: library.func('void *ZSTD_createCCtx()'),
    freeCCtx: library.func('size_t ZSTD_freeCCtx(void *)'),
    setParameter: library.func('size_t ZSTD_CCtx_setParameter(void *, int, int)'),
    resetCCtx: library.func('size_t ZSTD_CCtx_reset(void *, int)'),
    kept: [],
    compressStream: library.func(`size_t ZSTD_compressStream2_simpleArgs(${stream}, int)`),
  };
}

function checkResult(functions: Functions, code: Size): Size {
  if (functions.isError(code) !== 0) throw invalidData('zstd', functions.getErrorName(code));
  return code;
}

/**
 * A context that nobody uses, for the next decoder: to make one takes longer than to decode the references of a manifest's
 * stream, and listings read thousands of those. Threads that end would leave theirs behind.
 */
const spareContexts: Context[] = [];
const MAX_SPARE_CONTEXTS: number = isMainThread ? 1 : 0;
/** Bytes: one that has decoded much keeps its window, which can have 128 MiB. */
const MAX_SPARE_SIZE = 512 * 1024;

class NativeDecoder implements LibZstdDecoder {
  readonly #functions: Functions;
  #context: Context | null;
  readonly #outputPosition = new BigUint64Array(1);
  readonly #inputPosition = new BigUint64Array(1);

  constructor(functions: Functions) {
    this.#functions = functions;
    this.#context = spareContexts.pop() ?? madeContext(functions.createDCtx());
  }

  step(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): DecodeStep {
    const code = this.#functions.decompressStream(...this.#arguments(input, inputStart, output, outputStart));
    return this.#result(code);
  }

  async stepAsync(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): Promise<DecodeStep> {
    const args = this.#arguments(input, inputStart, output, outputStart);
    const code = await new Promise<Size>((resolve, reject) => {
      this.#functions.decompressStream.async(...args, (error, result) => {
        if (error === null || error === undefined) resolve(result);
        else reject(error);
      });
    });
    return this.#result(code);
  }

  free(): void {
    const context = this.#context;
    this.#context = null;
    if (context === null) return;
    const { sizeofDCtx, resetDCtx, freeDCtx } = this.#functions;
    const isSpare =
      spareContexts.length < MAX_SPARE_CONTEXTS &&
      Number(sizeofDCtx(context)) <= MAX_SPARE_SIZE &&
      Number(resetDCtx(context, ZSTD_RESET_SESSION_ONLY)) === 0;
    if (isSpare) spareContexts.push(context);
    else freeDCtx(context);
  }

  #arguments(input: Uint8Array, inputStart: number, output: Uint8Array, outputStart: number): DecompressArguments {
    this.#inputPosition[0] = BigInt(inputStart);
    this.#outputPosition[0] = BigInt(outputStart);
    const context = requireContext(this.#context);
    return [context, output, output.length, this.#outputPosition, input, input.length, this.#inputPosition];
  }

  #result(code: Size): DecodeStep {
    return {
      frameDone: Number(checkResult(this.#functions, code)) === 0,
      inputEnd: Number(this.#inputPosition[0]),
      outputEnd: Number(this.#outputPosition[0]),
    };
  }
}

class NativeEncoder implements LibZstdEncoder {
  readonly #functions: Functions;
  readonly #level: number;
  #own: EncoderContext | undefined;
  readonly #outputPosition = new BigUint64Array(1);
  readonly #inputPosition = new BigUint64Array(1);

  constructor(functions: Functions, level: number, own: EncoderContext) {
    this.#functions = functions;
    this.#level = level;
    this.#own = own;
    // What was begun before is forgotten: parameters stay, and the output does not depend on it.
    checkResult(functions, functions.resetCCtx(own.context, ZSTD_RESET_SESSION_ONLY));
  }

  *push(chunk: Uint8Array): Generator<Buffer> {
    for (let position = 0; position < chunk.length; ) {
      this.#compress(chunk, position, ZSTD_E_CONTINUE);
      position = Number(this.#inputPosition[0]);
      yield* this.#takeOutput();
    }
  }

  *finish(): Generator<Buffer> {
    const nothing = new Uint8Array(1).subarray(0, 0);
    for (let remaining: Size = 1; Number(remaining) !== 0; ) {
      remaining = this.#compress(nothing, 0, ZSTD_E_END);
      yield* this.#takeOutput();
    }
  }

  free(): void {
    const { kept, freeCCtx } = this.#functions;
    if (this.#own === undefined) return;
    if (this.#level === KEPT_LEVEL && kept.length === 0) keepEncoder(this.#functions, this.#own);
    else freeCCtx(this.#own.context);
    this.#own = undefined;
  }

  #compress(input: Uint8Array, inputStart: number, endOperation: number): Size {
    const { context, output } = this.#required();
    this.#inputPosition[0] = BigInt(inputStart);
    this.#outputPosition[0] = 0n;
    const code = this.#functions.compressStream(
      context,
      output,
      output.length,
      this.#outputPosition,
      input,
      input.length,
      this.#inputPosition,
      endOperation,
    );
    return checkResult(this.#functions, code);
  }

  *#takeOutput(): Generator<Buffer> {
    const length = Number(this.#outputPosition[0]);
    if (length > 0) yield Buffer.from(this.#required().output.subarray(0, length));
  }

  #required(): EncoderContext {
    if (this.#own === undefined) throw new Error('the Zstandard encoder was freed');
    return this.#own;
  }
}

/** libzstd gives null where it gets no memory. */
function madeContext(context: Context | null): Context {
  if (context === null) throw new ComposefsError('ENOMEM', 'there is no memory for Zstandard');
  return context;
}

function requireContext(context: Context | null): Context {
  if (context === null) throw new Error('the Zstandard decoder was freed');
  return context;
}
