import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteRegion } from '../../src/bytes/byte-region.js';
import { decodeUint64, encodeInt64, getInt64, getUint64, setInt64 } from '../../src/bytes/int64.js';
import { roundUp, safeInteger } from '../../src/bytes/integer.js';

test('safe integers are written as Node writes their bigints, and come back', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.nat(8), (value, offset) => {
      const expected = Buffer.alloc(16);
      expected.writeBigInt64LE(BigInt(value), offset);
      const { bytes, view } = byteRegion(Buffer.alloc(16));
      encodeInt64(bytes, value, offset);
      assert.deepEqual(bytes, expected);
      bytes.fill(0);
      setInt64(view, offset, value);
      assert.deepEqual(bytes, expected);
      assert.equal(getInt64(view, offset), value);
      if (value < 0) return;
      assert.equal(getUint64(view, offset), value);
      assert.equal(decodeUint64(bytes, offset), value);
    }),
  );
});

test('what is beyond 2^53 is rounded, or refused where it has to be exact', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const { bytes, view } = byteRegion(Buffer.alloc(8));
      bytes.writeBigUInt64LE(value);
      assert.equal(getUint64(view, 0), Number(value));
      if (value < 2n ** 53n) assert.equal(safeInteger(value, 'size'), Number(value));
      else {
        assert.throws(() => safeInteger(value, 'size'), {
          code: 'INTEGER_TOO_LARGE',
          message: `size ${value} is beyond the supported range of 2^53 - 1`,
        });
      }
    }),
  );
});

test('numbers are rounded up to multiples, also beyond 32 bits', () => {
  assert.deepEqual([roundUp(0, 32), roundUp(1, 32), roundUp(32, 32), roundUp(33, 32)], [0, 32, 32, 64]);
  assert.equal(roundUp(2 ** 40 + 1, 4096), 2 ** 40 + 4096);
});
