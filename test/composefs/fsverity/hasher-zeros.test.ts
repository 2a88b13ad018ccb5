import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { FsVerityHasher } from '../../../src/composefs/fsverity/hasher.js';
import { cpuTime } from '../../support/cpu-time.js';

const ALGORITHMS: readonly HashAlgorithm[] = ['sha256', 'sha512'];

test('zeros give the digest of zeros, wherever they stand', () => {
  const part = fc.record({
    length: fc.oneof(fc.nat(9000), fc.constantFrom(0, 4095, 4096, 4097, 262_144, 524_288, 2_000_000)),
    isZero: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.constantFrom(...ALGORITHMS), (parts, algorithm) => {
      const hasher = new FsVerityHasher(algorithm);
      for (const { length, isZero } of parts) {
        if (isZero) hasher.updateZeros(length);
        else hasher.update(Buffer.alloc(length, 7));
      }
      const whole = Buffer.concat(parts.map(({ length, isZero }) => Buffer.alloc(length, isZero ? 0 : 7)));
      assert.equal(hasher.digest(), computeVerity(algorithm, whole));
    }),
    { numRuns: 40 },
  );
});

test('at every boundary of the tree', () => {
  for (const algorithm of ALGORITHMS) {
    const zeros = Buffer.alloc(4096 * 129 * 64);
    for (const blocks of [1, 2, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 128 * 64]) {
      for (const rest of [0, 1]) {
        const size = blocks * 4096 + rest;
        const expected = computeVerity(algorithm, zeros.subarray(0, size));
        assert.equal(new FsVerityHasher(algorithm).updateZeros(size).digest(), expected, `${algorithm} ${size}`);
      }
    }
  }
});

test('a hole of a petabyte takes no time', () => {
  const before = cpuTime();
  const hasher = new FsVerityHasher('sha256')
    .update(Buffer.from('x'))
    .updateZeros(2 ** 50)
    .update(Buffer.from('y'));
  assert.match(hasher.digest(), /^[0-9a-f]{64}$/);
  assert.throws(() => hasher.updateZeros(1), { code: 'HASHER_ENDED' });
  assert(cpuTime() - before < 1000);
});
