import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CompressionError } from '../../../src/compression/stream/compression-error.js';
import { ZstdDecoder } from '../../../src/compression/zstd/decode.js';
import { loadZstdEncode } from '../../../src/compression/zstd/encode.js';
import type { LibZstd } from '../../../src/compression/zstd/libzstd.js';
import { cutAt, decoders, rawFrame, releaseCheckInput, repeatFrame, skippableFrame } from './fixtures.js';

const fuzzRuns = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 300);

function decode(library: LibZstd | null, chunks: Iterable<Uint8Array>): Buffer {
  const decoder = new ZstdDecoder(library);
  try {
    const pieces: Buffer[] = [];
    for (const chunk of chunks) pieces.push(...decoder.push(chunk));
    decoder.finish();
    return Buffer.concat(pieces);
  } finally {
    decoder.close();
  }
}

const encode = await loadZstdEncode();
const frameOf = (data: Uint8Array): Buffer => Buffer.concat([...encode([data])]);
const EMPTY = Buffer.from('28b52ffd2000010000', 'hex');

for (const [name, library] of decoders()) {
  test(`${name}: what a decoder was given up or failed at is nothing to the next one`, () => {
    const frame = frameOf(releaseCheckInput(5_000));
    const half = new ZstdDecoder(library);
    for (const _ of half.push(frame.subarray(0, 1_000)));
    half.close();
    assert.ok(decode(library, [frame]).equals(releaseCheckInput(5_000)));
    assert.throws(() => decode(library, [Buffer.from('no Zstandard')]), CompressionError);
    assert.ok(decode(library, [frame]).equals(releaseCheckInput(5_000)));
    const two = [new ZstdDecoder(library), new ZstdDecoder(library)];
    const pieces = two.map((decoder) => Buffer.concat([...decoder.push(frame)]));
    for (const decoder of two) decoder.finish();
    for (const piece of pieces) assert.ok(piece.equals(releaseCheckInput(5_000)));
  });

  test(`${name}: frames and skippable frames are concatenated, however they are cut`, () => {
    const parts = [releaseCheckInput(700), Buffer.alloc(0), releaseCheckInput(150_000), Buffer.alloc(300_000, 9)];
    const input = Buffer.concat([
      skippableFrame(Buffer.from('first')),
      ...parts.map(frameOf),
      skippableFrame(Buffer.alloc(0), 15),
      rawFrame(Buffer.from('raw')),
      EMPTY,
      skippableFrame(Buffer.alloc(40_000)),
    ]);
    const expected = Buffer.concat([...parts, Buffer.from('raw')]);
    assert.ok(decode(library, [input]).equals(expected));
    assert.ok(
      decode(
        library,
        Array.from(input, (byte) => Buffer.of(byte)),
      ).equals(expected),
    );
    fc.assert(
      fc.property(fc.array(fc.nat(input.length), { maxLength: 20 }), (cuts) => {
        assert.ok(decode(library, cutAt(input, cuts)).equals(expected));
      }),
      { numRuns: 15 },
    );
  });

  test(`${name}: output comes in pieces of at most 128 KiB, whatever the input expands to`, () => {
    const decoder = new ZstdDecoder(library);
    let total = 0;
    for (const piece of decoder.push(repeatFrame(5, 400))) {
      assert.ok(piece.length <= 131072);
      total += piece.length;
    }
    decoder.finish();
    assert.equal(total, 400 * 131072);
  });

  test(`${name}: pieces are not changed by what is decoded later`, () => {
    const decoder = new ZstdDecoder(library);
    const pieces = [...decoder.push(repeatFrame(1, 1)), ...decoder.push(repeatFrame(2, 1))];
    decoder.finish();
    assert.deepEqual([...new Set(Buffer.concat(pieces))], [1, 2]);
  });

  test(`${name}: every truncation is an error, also at a block boundary`, () => {
    const frame = frameOf(releaseCheckInput(3000));
    for (let length = 0; length < frame.length; length++) {
      assert.throws(() => decode(library, [frame.subarray(0, length)]), { code: 'COMPRESSED_DATA_TRUNCATED' });
    }
    const afterFrame = Buffer.concat([frame, frame.subarray(0, 3)]);
    assert.throws(() => decode(library, [afterFrame]), { code: 'COMPRESSED_DATA_TRUNCATED' });
    assert.throws(() => decode(library, [rawFrame(Buffer.alloc(200_000)).subarray(0, 131072 + 9)]), CompressionError);
    assert.throws(() => decode(library, [skippableFrame(Buffer.alloc(9)).subarray(0, 12)]), {
      code: 'COMPRESSED_DATA_TRUNCATED',
    });
  });

  test(`${name}: nothing at all is an error`, () => {
    assert.throws(() => decode(library, []), { code: 'COMPRESSED_DATA_TRUNCATED' });
  });

  test(`${name}: what is not Zstandard, and junk after the last frame, are errors`, () => {
    assert.throws(() => decode(library, [Buffer.from('not compressed at all')]), CompressionError);
    assert.throws(() => decode(library, [Buffer.concat([EMPTY, Buffer.from('junk')])]), CompressionError);
    assert.throws(() => decode(library, [EMPTY, Buffer.alloc(16)]), CompressionError);
  });

  test(`${name}: a window of 2^27 bytes is decoded, a larger one refused`, () => {
    assert.equal(decode(library, [rawFrame(Buffer.from('wide'), 27)]).toString(), 'wide');
    assert.throws(() => decode(library, [rawFrame(Buffer.from('wide'), 28)]), { code: 'COMPRESSED_DATA_INVALID' });
    assert.throws(() => decode(library, [rawFrame(Buffer.from('wide'), 41)]), { code: 'COMPRESSED_DATA_INVALID' });
  });

  test(`${name}: damaged data ends in an error or in an end, never in anything else`, () => {
    const seeds = [1000, 20_000].map((length) => frameOf(releaseCheckInput(length)));
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (seed, changes) => {
          const damaged = Buffer.from(seed);
          for (const [at, value] of changes) damaged[at % damaged.length] = value;
          try {
            decode(library, [damaged]);
          } catch (error) {
            assert.ok(error instanceof CompressionError, String(error));
          }
        },
      ),
      { numRuns: fuzzRuns },
    );
  });
}

test('a checksum is checked by libzstd', () => {
  const frame = Buffer.from('28b52ffd0458410000636865636b73756defe22655', 'hex');
  for (const [name, library] of decoders()) {
    assert.equal(decode(library, [frame]).toString(), 'checksum');
    if (library === null) continue;
    const damaged = Buffer.from(frame);
    damaged.writeUInt8((damaged.at(-1) ?? 0) ^ 0xff, damaged.length - 1);
    assert.throws(() => decode(library, [damaged]), CompressionError, name);
  }
});

test('closing a decoder twice, or in the middle of a frame, is harmless', () => {
  for (const library of decoders().values()) {
    const decoder = new ZstdDecoder(library);
    for (const _ of decoder.push(repeatFrame(1, 3))) break;
    decoder.close();
    decoder.close();
  }
});
