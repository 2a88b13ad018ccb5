import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  type CompressionFormat,
  decompress,
  decompressSmall,
  detectCompression,
  readableCompression,
  SMALL_INPUT,
} from '../../src/compression/decompress.js';
import { gunzipSmall, gunzipStream } from '../../src/compression/gunzip.js';
import { CompressionError } from '../../src/compression/stream/compression-error.js';
import { ReadAhead } from '../../src/compression/stream/read-ahead.js';
import { unzstdNative, unzstdSmall, unzstdSync, unzstdZlib, zlibZstd } from '../../src/compression/unzstd.js';
import { loadZstdEncode } from '../../src/compression/zstd/encode.js';
import { loadLibZstd } from '../../src/compression/zstd/libzstd.js';
import { cutAt, rawFrame, releaseCheckInput, repeatFrame, skippableFrame } from './zstd/fixtures.js';

const encode = await loadZstdEncode();
const frameOf = (data: Uint8Array): Buffer => Buffer.concat([...encode([data])]);

/** As files and other threads hand chunks on: the memory of each is used again when the second one after it is asked for. */
async function* sourceOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  const lent: Buffer[] = [];
  for (const chunk of chunks) {
    lent.at(-2)?.fill(0xaa);
    lent.push(Buffer.from(chunk));
    yield* lent.slice(-1);
  }
  lent.at(-2)?.fill(0xaa);
}

/** Copies, since a piece is only valid until the next. */
async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(Buffer.from(piece));
  return Buffer.concat(all);
}

type Decode = (chunks: readonly Buffer[]) => AsyncIterable<Buffer>;
const decoderOf =
  (format: CompressionFormat): Decode =>
  (chunks) =>
    decompress(sourceOf(chunks), format);

/** Every way to decode zstd: what `decompress` chose here, and the ones it falls back to. */
function zstdDecoders(): [string, Decode][] {
  const library = loadLibZstd();
  const create = zlibZstd();
  const all: [string, Decode][] = [
    ['zstd', decoderOf('zstd')],
    ['zstd in JavaScript or sync', (chunks) => unzstdSync(new ReadAhead(sourceOf(chunks)))],
  ];
  if (library !== null) {
    all.push(['zstd by libzstd', (chunks) => unzstdNative(new ReadAhead(sourceOf(chunks)), library)]);
    const small = async function* (chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
      yield unzstdSmall(Buffer.concat(chunks), library, Number.POSITIVE_INFINITY) ?? assert.fail();
    };
    all.push(['zstd by libzstd, at once', small]);
  }
  if (create !== null) all.push(['zstd by node:zlib', (chunks) => unzstdZlib(new ReadAhead(sourceOf(chunks)), create)]);
  return all;
}

const parts = [releaseCheckInput(700), Buffer.alloc(0), releaseCheckInput(150_000), Buffer.alloc(1_300_000, 9)];
const expected = Buffer.concat(parts);
const gzip = Buffer.concat(parts.map((part, level) => gzipSync(part, { level: level * 3 })));
const zstd = Buffer.concat([
  skippableFrame(Buffer.from('first')),
  ...parts.map(frameOf),
  skippableFrame(Buffer.alloc(9), 7),
]);

function gunzipByNode(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  return gunzipStream(new ReadAhead(sourceOf(chunks)), Number.POSITIVE_INFINITY);
}

const cases: [string, Decode, Buffer][] = [
  ['gzip', decoderOf('gzip'), gzip],
  ['gzip by node:zlib', gunzipByNode, gzip],
  ...zstdDecoders().map(([name, decode]): [string, Decode, Buffer] => [name, decode, zstd]),
];

for (const [name, decode, input] of cases) {
  test(`${name}: all members or frames are decoded, however the source cuts them`, async () => {
    assert.ok((await collect(decode([input]))).equals(expected));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(input.length), { maxLength: 20 }), async (cuts) => {
        assert.ok((await collect(decode(cutAt(input, cuts)))).equals(expected));
      }),
      { numRuns: 8 },
    );
  });

  test(`${name}: byte by byte`, async () => {
    const bytes = Array.from(input.subarray(0, input.length), (byte) => Buffer.of(byte));
    assert.ok((await collect(decode(bytes))).equals(expected));
  });

  test(`${name}: truncated input is an error`, async () => {
    const first = name.startsWith('gzip') ? gzipSync(releaseCheckInput(700)) : frameOf(releaseCheckInput(700));
    for (let length = 0; length < first.length; length++) {
      await assert.rejects(collect(decode([first.subarray(0, length)])), { code: 'COMPRESSED_DATA_TRUNCATED' });
    }
    const second = Buffer.concat([first, first.subarray(0, 12)]);
    await assert.rejects(collect(decode([second])), { code: 'COMPRESSED_DATA_TRUNCATED' });
    await assert.rejects(collect(decode([first, first.subarray(0, 12)])), { code: 'COMPRESSED_DATA_TRUNCATED' });
    await assert.rejects(collect(decode([])), { code: 'COMPRESSED_DATA_TRUNCATED' });
  });

  test(`${name}: what fills the buffers of a decoder exactly`, async () => {
    for (const length of [65_536, 131_072, 524_288, 1_048_576, 2_621_440]) {
      const content = Buffer.alloc(length, 5);
      const member = name.startsWith('gzip') ? gzipSync(content) : frameOf(content);
      assert.ok((await collect(decode([member]))).equals(content), `${length}`);
      assert.ok(
        (await collect(decode([member, member]))).equals(Buffer.concat([content, content])),
        `${length}, twice`,
      );
      const [start, end] = [member.subarray(0, -1), member.subarray(-1)];
      assert.ok((await collect(decode([start, end]))).equals(content), `${length}, the last byte by itself`);
      await assert.rejects(collect(decode([start])), { code: 'COMPRESSED_DATA_TRUNCATED' });
    }
  });

  test(`${name}: what is not of the format is an error`, async () => {
    await assert.rejects(collect(decode([Buffer.from('plain text, nothing else')])), {
      code: 'COMPRESSED_DATA_INVALID',
    });
  });

  test(`${name}: damaged input is an error that can be caught, or decodes`, async () => {
    const seed = name.startsWith('gzip') ? gzipSync(releaseCheckInput(5000)) : frameOf(releaseCheckInput(5000));
    await fc.assert(
      fc.asyncProperty(fc.nat(seed.length - 1), fc.nat(255), fc.nat(seed.length), async (at, value, cut) => {
        const damaged = Buffer.from(seed);
        damaged[at] = value;
        await collect(decode(cutAt(damaged, [cut]))).catch((error: unknown) => {
          assert.ok(error instanceof CompressionError, String(error));
        });
      }),
      { numRuns: Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 100) },
    );
  });

  test(`${name}: an error of the source is passed on as it is`, async () => {
    const failure = new Error('connection lost');
    const source = async function* (): AsyncGenerator<Buffer> {
      yield input.subarray(0, 500);
      throw failure;
    };
    await assert.rejects(
      collect(decompress(source(), name.startsWith('gzip') ? 'gzip' : 'zstd')),
      (error) => error === failure,
    );
  });

  test(`${name}: leaving early closes the source and leaves nothing behind`, async () => {
    let closed = false;
    const source = async function* (): AsyncGenerator<Buffer> {
      try {
        for (;;) yield input;
      } finally {
        closed = true;
      }
    };
    for await (const _ of decompress(source(), name.startsWith('gzip') ? 'gzip' : 'zstd')) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(closed);
  });

  test(`${name}: a damaged stream fails at once, even if the source never goes on`, { timeout: 60_000 }, async () => {
    const source = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(100, 1);
      await new Promise((resolve) => setTimeout(resolve, 600_000).unref());
    };
    await assert.rejects(collect(decompress(source(), name.startsWith('gzip') ? 'gzip' : 'zstd')), CompressionError);
  });
}

/** In pieces by zlib and by node:zlib, and at once what is small. */
const gzipDecoders: readonly Decode[] = [
  decoderOf('gzip'),
  gunzipByNode,
  async function* small(chunks) {
    yield gunzipSmall(Buffer.concat(chunks), 1 << 28) ?? assert.fail();
  },
];

test('gzip: zero padding after the last member is allowed, anything else is trailing data', async () => {
  for (const decode of gzipDecoders) await checkGzipEnd(decode);
});

async function checkGzipEnd(decode: Decode): Promise<void> {
  const member = gzipSync('content');
  for (const padding of [Buffer.alloc(1), Buffer.alloc(100_000)]) {
    assert.equal((await collect(decode([Buffer.concat([member, padding])]))).toString(), 'content');
    assert.equal((await collect(decode([member, padding, padding]))).toString(), 'content');
    const bytes = Array.from(Buffer.concat([member, padding.subarray(0, 9)]), (byte) => Buffer.of(byte));
    assert.equal((await collect(decode(bytes))).toString(), 'content');
  }
  const trailing = { code: 'COMPRESSED_TRAILING_DATA', message: 'trailing data after the gzip stream' };
  for (const chunks of [
    [Buffer.concat([member, Buffer.from('garbage')])],
    [member, Buffer.from('garbage')],
    [Buffer.concat([member, Buffer.from([0, 0, 5])])],
    [member, Buffer.from([0]), Buffer.alloc(1000), Buffer.from([0, 1])],
    [member, Buffer.from([0]), member],
  ]) {
    await assert.rejects(collect(decode(chunks)), trailing);
  }
}

test('gzip: CRC and length are checked', async () => {
  const member = gzipSync('content');
  for (const decode of gzipDecoders) {
    for (const at of [member.length - 8, member.length - 4]) {
      const damaged = Buffer.from(member);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await assert.rejects(collect(decode([damaged])), { code: 'COMPRESSED_DATA_INVALID' });
    }
  }
});

test('gzip: whatever decodes it gives the same, or fails in the same way', async () => {
  const outcome = async (decode: Decode, chunks: readonly Buffer[]): Promise<string> => {
    try {
      return (await collect(decode(chunks))).toString('hex');
    } catch (error) {
      assert.ok(error instanceof CompressionError);
      return `${error.code} ${error.message}`;
    }
  };
  const members = fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 3 });
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), length: fc.nat(), isCut: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(members, change, fc.nat(), async (contents, { at, byte, length, isCut }, cut) => {
      const whole = Buffer.concat(contents.map((content) => gzipSync(content)));
      whole[at % whole.length] = byte;
      const data = whole.subarray(0, isCut ? 4 + (length % whole.length) : undefined);
      const chunks = [data.subarray(0, cut % data.length), data.subarray(cut % data.length)];
      const outcomes = await Promise.all(gzipDecoders.map((decode) => outcome(decode, chunks)));
      assert.deepEqual(
        outcomes,
        outcomes.map(() => outcomes[0]),
      );
    }),
    { numRuns: 200 },
  );
});

test('zstd: output of a bomb is never held as a whole', async () => {
  const bomb = repeatFrame(0, 4000);
  let total = 0;
  for await (const piece of decompress(sourceOf([bomb]), 'zstd')) {
    assert.ok(piece.length <= 1024 * 1024);
    total += piece.length;
    if (total > 64 * 1024 * 1024) break;
  }
  assert.ok(total > 64 * 1024 * 1024);
});

test('no compression: the source as it is, empty chunks left out', async () => {
  const chunks = [Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')];
  assert.equal((await collect(decompress(sourceOf(chunks), 'none'))).toString(), 'abc');
  assert.equal((await collect(decompress(sourceOf([]), 'none'))).length, 0);
});

test('the source is read one chunk ahead, and no further', async () => {
  let given = 0;
  const source = async function* (): AsyncGenerator<Buffer> {
    for (; given < 10; ) {
      given++;
      yield Buffer.of(given);
    }
  };
  const pieces = decompress(source(), 'none');
  await pieces.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(given, 2);
  await pieces.return(undefined);
});

test('a format is known by its first bytes', () => {
  assert.equal(detectCompression(gzipSync('x')), 'gzip');
  assert.equal(detectCompression(rawFrame(Buffer.of(1))), 'zstd');
  assert.equal(detectCompression(skippableFrame(Buffer.of(1), 15)), 'zstd');
  assert.equal(detectCompression(Buffer.from('usr/')), 'none');
  assert.equal(detectCompression(Buffer.of(0x28, 0xb5)), 'none');
  assert.equal(detectCompression(Buffer.alloc(0)), 'none');
  const xz = Buffer.from('fd377a585a000004', 'hex');
  assert.equal(detectCompression(xz), 'xz');
  assert.equal(detectCompression(xz.subarray(0, 5)), 'none');
  const bzip2 = Buffer.concat([Buffer.from('BZh9'), Buffer.from('314159265359', 'hex')]);
  assert.equal(detectCompression(bzip2), 'bzip2');
  assert.equal(detectCompression(Buffer.from('425a6831177245385090', 'hex')), 'bzip2');
  // The name of a file in a tar.
  assert.equal(detectCompression(Buffer.from('BZh9-file\0')), 'none');
  for (const [name, start] of Object.entries({ xz, bzip2 })) {
    const expected = {
      code: 'COMPRESSION_UNSUPPORTED',
      message: `${name} compression is not supported`,
      hint: 'Do so.',
    };
    assert.throws(() => readableCompression(start, 'Do so.'), expected);
  }
  assert.equal(readableCompression(gzipSync('x'), 'Do so.'), 'gzip');
});

test('an input is decoded at once if it is small, and becomes no more than a mebibyte', async () => {
  const content = Buffer.alloc(1 << 20, 'content');
  const more = Buffer.alloc((1 << 20) + 1, 'content');
  for (const format of ['gzip', 'zstd'] as const) {
    if (format === 'zstd' && loadLibZstd() === null) continue;
    const pack = (data: Buffer): Buffer => (format === 'gzip' ? gzipSync(data) : frameOf(data));
    assert.ok(decompressSmall(pack(content), format)?.equals(content));
    assert.equal(decompressSmall(pack(more), format), undefined);
    assert.equal(decompressSmall(pack(Buffer.alloc(0)), format)?.length, 0);
    const large = Buffer.concat([pack(content), skippableOrZeros(format)]);
    assert.equal(decompressSmall(large, format), undefined);
    assert.ok((await collect(decoderOf(format)([large]))).equals(content));
  }
  assert.ok(decompressSmall(content.subarray(0, SMALL_INPUT), 'none')?.equals(content.subarray(0, SMALL_INPUT)));
  assert.equal(decompressSmall(content.subarray(0, SMALL_INPUT + 1), 'none'), undefined);
});

/** What may follow and becomes nothing, more than is small. */
function skippableOrZeros(format: 'gzip' | 'zstd'): Buffer {
  const bytes = Buffer.alloc(SMALL_INPUT);
  return format === 'gzip' ? bytes : skippableFrame(bytes);
}

test('an input of known size is decoded in pieces for which that is enough, however much it becomes', async () => {
  const content = Buffer.alloc(3_000_000, 'content');
  for (const [format, packed] of [
    ['gzip', gzipSync(content)],
    ['zstd', frameOf(content)],
  ] as const) {
    const pieces: Buffer[] = [];
    for await (const piece of decompress(sourceOf([packed]), format, 100)) {
      if (format === 'gzip') assert.ok(piece.length <= 64 * 1024);
      pieces.push(Buffer.from(piece));
    }
    assert.ok(Buffer.concat(pieces).equals(content));
  }
});
