import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeStreamHash, opensslSha256, streamHash } from '../../src/linux/stream-hash.js';

const LARGE = randomBytes(1 << 20);
/** Parts of a buffer, as pieces of a blob are: small ones and large ones, also empty ones. */
const piece = fc
  .tuple(fc.nat(300_000), fc.oneof(fc.nat(200), fc.nat(600_000)))
  .map(([start, length]) => LARGE.subarray(start, start + length));

const skip = opensslSha256() === undefined ? 'an OpenSSL that Node exports is missing' : false;
for (const [name, make] of [
  ['OpenSSL', opensslSha256],
  ['Node', () => nodeStreamHash('sha256')],
] as const) {
  test(`${name} hashes pieces here and beside`, { skip: name === 'OpenSSL' && skip }, async () => {
    const pieces = fc.array(fc.record({ piece, isBeside: fc.boolean() }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const found = make();
        const expected = createHash('sha256');
        for (const { piece, isBeside } of parts) {
          if (isBeside) await found?.updateBeside(piece);
          else found?.update(piece);
          expected.update(piece);
        }
        assert.equal(found?.digest(), expected.digest('hex'));
      }),
      { numRuns: 50 },
    );
  });
}

test('several hashes at once do not meet', async () => {
  const hashes = Array.from({ length: 8 }, () => streamHash('sha256'));
  for (let round = 0; round < 5; round++) {
    await Promise.all(hashes.map((hash, index) => hash.updateBeside(LARGE.subarray(index, index + 200_000))));
  }
  for (const [index, hash] of hashes.entries()) {
    const expected = createHash('sha256');
    for (let round = 0; round < 5; round++) expected.update(LARGE.subarray(index, index + 200_000));
    assert.equal(hash.digest(), expected.digest('hex'));
  }
});

test('other algorithms are those of Node', async () => {
  const hash = streamHash('sha512');
  hash.update(LARGE);
  await hash.updateBeside(LARGE);
  assert.equal(hash.digest(), createHash('sha512').update(LARGE).update(LARGE).digest('hex'));
});
