import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tarLimits } from '../../../src/oci/model/layer-limits.js';

const GIB = 2 ** 30;

test('without a blob there is an absolute bound', () => {
  assert.deepEqual(tarLimits(), { maxEntries: 2_000_000, maxTarBytes: 256 * GIB, maxBytes: 256 * GIB });
});

test('a small blob does not unpack to much, whatever gzip can do', () => {
  assert.equal(tarLimits({}, 1000).maxTarBytes, 16 * GIB);
  assert.equal(tarLimits({}, 100 * 2 ** 20).maxTarBytes, 1100 * 100 * 2 ** 20);
  assert.equal(tarLimits({}, 10 * GIB).maxTarBytes, 256 * GIB);
  assert.equal(tarLimits({}, 1000).maxBytes, 256 * GIB);
});

test('what is asked for takes the place of both', () => {
  const limits = tarLimits({ maxEntries: 7, maxBytes: 1000 * GIB }, 1000);
  assert.deepEqual(limits, { maxEntries: 7, maxTarBytes: 1000 * GIB, maxBytes: 1000 * GIB });
});
