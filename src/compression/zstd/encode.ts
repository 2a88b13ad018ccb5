import { asBuffer } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { type LibZstd, loadLibZstd } from './libzstd.js';

/**
 * Compresses the concatenation of `chunks` into one Zstandard frame: libzstd 1.5.7, no content size, no checksum, closed
 * by an empty end operation (spec 30 §2.4). How the input is cut into chunks does not matter.
 *
 * One frame at a time: the output must be read to its end before the next call on the same thread.
 */
export type ZstdEncode = (chunks: Iterable<Uint8Array>) => Iterable<Buffer>;

/** The only release whose output is the one that the format's digests were made with. */
const ENCODER_VERSION = '1.5.7';
const ENCODER_VERSION_NUMBER = 10507;
/** That of splitstreams. */
const STANDARD_LEVEL = 3;
/** libzstd cuts its input into blocks of this size, whatever the level: the windows of all are larger. */
const BLOCK_SIZE = 131072;
const FRAME_HEADER_SIZE = 6;
/** The empty last block that ends a frame after its data was flushed. */
const EMPTY_LAST_BLOCK = Buffer.from([0x01, 0x00, 0x00]);

const loaded = new Map<number, Promise<ZstdEncode>>();

/**
 * The encoder of this thread. A libzstd 1.5.7 of the process or the system is about twice as fast as the bundled
 * WebAssembly build; the bytes are the same.
 *
 * @param level 1 to 22; default: that of splitstreams, 3.
 * @throws ComposefsError `ZSTD_VERSION` if the bundled encoder is of another release, `ZSTD_UNAVAILABLE` if it cannot start.
 */
export function loadZstdEncode(level: number = STANDARD_LEVEL): Promise<ZstdEncode> {
  let encode = loaded.get(level);
  if (encode === undefined) {
    encode = selectEncode(level);
    loaded.set(level, encode);
  }
  return encode;
}

/** An encoder is wanted by what was begun without one. */
class EncoderNeeded extends Error {}

/** Not even a generator: whoever makes it wants the encoder. */
const notLoaded: ZstdEncode = () => {
  throw new EncoderNeeded();
};

/**
 * Runs what may need the encoder, which takes 20 ms and a good deal of processor time to load: first without it, and
 * again, from its beginning and with it, if it asks for it. What `action` has done until then it must be able to do twice.
 */
export async function withZstdEncode<T>(action: (encode: ZstdEncode) => T): Promise<T> {
  if (!loaded.has(STANDARD_LEVEL)) {
    try {
      return action(notLoaded);
    } catch (error) {
      if (!(error instanceof EncoderNeeded)) throw error;
    }
  }
  const encode = await loadZstdEncode();
  return action(encode);
}

async function selectEncode(level: number): Promise<ZstdEncode> {
  const library = loadLibZstd();
  return library?.versionNumber === ENCODER_VERSION_NUMBER ? nativeEncode(library, level) : loadWasmEncode(level);
}

/** Encodes with a native libzstd, which must be release 1.5.7. */
function nativeEncode(library: LibZstd, level: number = STANDARD_LEVEL): ZstdEncode {
  return function* encode(chunks) {
    const encoder = library.createEncoder(level);
    try {
      for (const chunk of chunks) yield* encoder.push(chunk);
      yield* encoder.finish();
    } finally {
      encoder.free();
    }
  };
}

/** What is needed of the WebAssembly module's one shared stream. */
interface WasmZstd {
  reset(): void;
  setCompressionLevel(level: number): void;
  compressChunk(data: Uint8Array): Uint8Array;
  compressEnd(): Uint8Array;
}

/** Encodes with the bundled WebAssembly build of libzstd. */
export async function loadWasmEncode(level: number = STANDARD_LEVEL): Promise<ZstdEncode> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const zstd = await Zstd.load().catch((cause: unknown) => {
    throw new ComposefsError('ZSTD_UNAVAILABLE', 'the bundled Zstandard encoder cannot start', {
      cause,
      hint: 'WebAssembly reserves 10 GiB of addresses: raise `ulimit -v`, or install libzstd 1.5.7, which is taken then',
    });
  });
  if (zstd.version() !== ENCODER_VERSION) {
    throw new ComposefsError(
      'ZSTD_VERSION',
      `the bundled Zstandard encoder is ${zstd.version()}, but splitstreams need exactly ${ENCODER_VERSION}`,
      { hint: 'build it with the version of @hpcc-js/wasm-zstd that package.json asks for' },
    );
  }
  return wasmEncode(zstd, level);
}

/** The module has one stream for all levels. */
let busy = false;

function wasmEncode(zstd: WasmZstd, level: number): ZstdEncode {
  return function* encode(chunks) {
    if (busy) throw new ComposefsError('ZSTD_BUSY', 'the Zstandard encoder of this thread is still in use');
    busy = true;
    try {
      zstd.reset();
      zstd.setCompressionLevel(level);
      yield* encodeBlocks(zstd, chunks);
    } finally {
      busy = false;
    }
  };
}

/**
 * The module flushes after every call, which ends a block. Where the input is cut at multiples of the block size
 * libzstd ends a block anyway, so the flush changes nothing. Only after a partial last block it would leave one more,
 * empty, block: there the partial block itself is marked as the last one.
 */
function* encodeBlocks(zstd: WasmZstd, chunks: Iterable<Uint8Array>): Generator<Buffer> {
  let first = true;
  for (const block of inBlocks(chunks)) {
    const output = asBuffer(zstd.compressChunk(block));
    if (block.length < BLOCK_SIZE) {
      markLastBlock(output, first ? FRAME_HEADER_SIZE : 0);
      if (!asBuffer(zstd.compressEnd()).equals(EMPTY_LAST_BLOCK)) throw unexpectedOutput();
      yield output;
      return;
    }
    first = false;
    yield output;
  }
  yield asBuffer(zstd.compressEnd());
}

/** The input in pieces of exactly `BLOCK_SIZE` bytes and, if there is a rest, a shorter last one. */
function* inBlocks(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  const pending = Buffer.allocUnsafe(BLOCK_SIZE);
  let filled = 0;
  for (const chunk of chunks) {
    let offset = 0;
    while (offset < chunk.length) {
      if (filled === 0 && chunk.length - offset >= BLOCK_SIZE) {
        yield chunk.subarray(offset, offset + BLOCK_SIZE);
        offset += BLOCK_SIZE;
        continue;
      }
      const part = chunk.subarray(offset, offset + BLOCK_SIZE - filled);
      pending.set(part, filled);
      filled += part.length;
      offset += part.length;
      if (filled === BLOCK_SIZE) {
        yield pending;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield pending.subarray(0, filled);
}

/** Walks the block headers from `offset` to the end of `output` and sets the last one's "last block" bit. */
function markLastBlock(output: Buffer, offset: number): void {
  let last = -1;
  while (offset + 3 <= output.length) {
    const header = output.readUIntLE(offset, 3);
    const isRle = ((header >> 1) & 3) === 1;
    last = offset;
    offset += 3 + (isRle ? 1 : header >> 3);
  }
  if (last < 0 || offset !== output.length) throw unexpectedOutput();
  output.writeUInt8(output.readUInt8(last) | 1, last);
}

function unexpectedOutput(): ComposefsError {
  return new ComposefsError('ZSTD_VERSION', 'the bundled Zstandard encoder does not frame its output as expected');
}
