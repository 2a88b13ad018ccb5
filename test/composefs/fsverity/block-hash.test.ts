import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { HASH_ALGORITHMS } from '../../../src/composefs/fsverity/algorithm.js';
import { type BlockHash, blockHash, nodeHash, OpensslHash } from '../../../src/composefs/fsverity/block-hash.js';

for (const algorithm of HASH_ALGORITHMS) {
  const openssl = OpensslHash.find(algorithm);
  const implementations: readonly (readonly [name: string, hash: BlockHash | undefined])[] = [
    ['OpenSSL', openssl],
    ['Node', nodeHash(algorithm)],
  ];
  for (const [name, hash] of implementations) {
    const skip = hash === undefined ? 'this Node does not export the functions of OpenSSL' : false;
    test(`${algorithm} with ${name} hashes any part of a buffer into any place`, { skip }, () => {
      if (hash === undefined) return;
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 9000 }), fc.nat(), fc.nat(), fc.nat(100), (bytes, start, count, to) => {
          // A view of a larger buffer, as chunks of a tar are.
          const source = Buffer.concat([Buffer.from('before'), bytes]).subarray(6);
          const from = source.length === 0 ? 0 : start % source.length;
          const length = source.length === from ? 0 : count % (source.length - from);
          const target = Buffer.alloc(200, 0xee);
          hash.hash(hash.placeOf(source), from, length, hash.placeOf(target), to);
          const digest = createHash(algorithm)
            .update(source.subarray(from, from + length))
            .digest();
          const expected = Buffer.alloc(200, 0xee);
          digest.copy(expected, to);
          assert.equal(target.toString('hex'), expected.toString('hex'));
        }),
      );
    });
  }

  test(`${algorithm}: what is used is looked up once`, () => {
    assert.equal(blockHash(algorithm), blockHash(algorithm));
    assert.equal(blockHash(algorithm) instanceof OpensslHash, openssl !== undefined);
  });
}
