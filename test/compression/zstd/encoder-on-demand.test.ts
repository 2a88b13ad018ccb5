import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withZstdEncode } from '../../../src/compression/zstd/encode.js';
import { ComposefsError } from '../../../src/errors.js';

// In this order: the encoder is loaded once for a process.
test('what needs no encoder runs once, and so does what fails in another way', async () => {
  let runs = 0;
  assert.equal(await withZstdEncode(() => ++runs), 1);
  const failing = (): never => {
    runs += 1;
    throw new ComposefsError('INVALID_ARGUMENT', 'no');
  };
  await assert.rejects(withZstdEncode(failing), { code: 'INVALID_ARGUMENT' });
  assert.equal(runs, 2);
});

test('what needs the encoder begins anew with it, and then at once', async () => {
  let runs = 0;
  const magicOf = (encode: Parameters<Parameters<typeof withZstdEncode>[0]>[0]): string => {
    runs += 1;
    return Buffer.concat([...encode([Buffer.from('x')])]).toString('hex', 0, 4);
  };
  assert.equal(await withZstdEncode(magicOf), '28b52ffd');
  assert.equal(runs, 2);
  assert.equal(await withZstdEncode(magicOf), '28b52ffd');
  assert.equal(runs, 3);
});
