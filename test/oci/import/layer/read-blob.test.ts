import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  decompressByContent,
  decompressSmallBlob,
  readSmallBlob,
  readVerified,
} from '../../../../src/oci/import/layer/read-blob.js';
import { sha256ContentDigest } from '../../../../src/oci/model/digest.js';
import { rawFrame, skippableFrame } from '../../../compression/zstd/fixtures.js';
import { Random } from '../../../support/random.js';

const CONTENT = Buffer.concat([Buffer.alloc(300, 'a layer '), new Random(1).bytes(200)]);
const BLOBS = {
  plain: CONTENT,
  gzip: gzipSync(CONTENT),
  zstd: rawFrame(CONTENT),
  'zstd behind a skippable frame': Buffer.concat([skippableFrame(Buffer.from('x')), rawFrame(CONTENT)]),
};

/** Pieces that are valid until the one after the next is asked for, as those of a channel are. */
function* pieces(blob: Buffer, cuts: readonly number[]): Generator<Buffer> {
  const ends = [...cuts, blob.length].sort((a, b) => a - b);
  let start = 0;
  let last: Buffer | undefined;
  for (const end of ends) {
    const piece = Buffer.from(blob.subarray(start, end));
    yield piece;
    last?.fill(0xee);
    last = piece;
    start = end;
  }
}

function descriptorOf(blob: Buffer) {
  return { mediaType: 'application/octet-stream', digest: sha256ContentDigest(blob), size: blob.length };
}

async function unpacked(blob: Buffer, cuts: readonly number[], descriptor = descriptorOf(blob)): Promise<Buffer> {
  const received: number[] = [];
  const content = { kind: 'chunks', chunks: pieces(blob, cuts) } as const;
  const verified = readVerified(content, descriptor, (bytes) => received.push(bytes));
  const chunks: Buffer[] = [];
  for await (const chunk of decompressByContent(verified, descriptor.size)) chunks.push(Buffer.from(chunk));
  assert.equal(received.at(-1), blob.length);
  const unpacked = Buffer.concat(chunks);
  const small = { kind: 'chunks', chunks: pieces(blob, cuts) } as const;
  const whole = await readSmallBlob(small, descriptor, (bytes) => assert.equal(bytes, blob.length));
  assert.deepEqual(whole, blob);
  // Without libzstd it is decoded in pieces.
  assert.deepEqual(decompressSmallBlob(blob) ?? unpacked, unpacked);
  return unpacked;
}

for (const [name, blob] of Object.entries(BLOBS)) {
  test(`${name}: a blob that comes byte by byte, and at random splits, is decompressed by its first bytes`, async () => {
    const each = Array.from({ length: blob.length }, (_, index) => index);
    assert.deepEqual(await unpacked(blob, each), CONTENT);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(blob.length), { maxLength: 20 }), async (cuts) => {
        assert.deepEqual(await unpacked(blob, cuts), CONTENT);
      }),
      { numRuns: 50 },
    );
  });
}

test('a blob that is shorter than any magic number is what it is', async () => {
  for (const text of ['', 'a', 'short']) assert.equal((await unpacked(Buffer.from(text), [1])).toString(), text);
});

test('a blob of another digest or size is refused, wherever it is cut', async () => {
  const blob = BLOBS.gzip;
  const { size, ...rest } = descriptorOf(blob);
  const other = { ...rest, size, digest: sha256ContentDigest(Buffer.from('other')) };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(blob.length), { maxLength: 5 }), async (cuts) => {
      await assert.rejects(unpacked(blob, cuts, other), { code: 'BLOB_DIGEST_MISMATCH' });
      await assert.rejects(unpacked(blob, cuts, { ...rest, size: size - 1 }), { code: 'BLOB_SIZE_MISMATCH' });
      await assert.rejects(unpacked(blob, cuts, { ...rest, size: size + 1 }), { code: 'BLOB_SIZE_MISMATCH' });
      for (const [descriptor, code] of [
        [other, 'BLOB_DIGEST_MISMATCH'],
        [{ ...rest, size: size - 1 }, 'BLOB_SIZE_MISMATCH'],
        [{ ...rest, size: size + 1 }, 'BLOB_SIZE_MISMATCH'],
      ] as const) {
        const small = { kind: 'chunks', chunks: pieces(blob, cuts) } as const;
        await assert.rejects(
          readSmallBlob(small, descriptor, () => assert.fail()),
          { code },
        );
      }
    }),
    { numRuns: 20 },
  );
});

test('a format that is known and not read is named', async () => {
  await assert.rejects(unpacked(Buffer.from('fd377a585a000000', 'hex'), [3]), {
    code: 'COMPRESSION_UNSUPPORTED',
    message: 'xz compression is not supported',
    hint: 'Layers may be gzip or Zstandard: pull the image with podman and push it again.',
  });
});
