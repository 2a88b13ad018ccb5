import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Descriptor } from '../../../src/oci/model/descriptor.js';
import { parseOciDigest } from '../../../src/oci/model/digest.js';
import { readAttachedSignatures } from '../../../src/oci/signatures/attached-signatures.js';
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING_MEDIA_TYPE } from '../../../src/oci/signatures/simple-signing.js';

const digest = parseOciDigest(`sha256:${'0'.repeat(64)}`);

/** How many of the signatures with payloads of these sizes are read. */
async function read(sizes: readonly number[]): Promise<number[]> {
  const annotations = { [SIGNATURE_ANNOTATION]: 'AAAA' };
  const layers = sizes.map((size): Descriptor => ({ mediaType: SIMPLE_SIGNING_MEDIA_TYPE, digest, size, annotations }));
  const config = { mediaType: 'x', digest, size: 2 };
  const found = await readAttachedSignatures({ schemaVersion: 2, config, layers }, async ({ size }) =>
    Buffer.alloc(size),
  );
  return found.map(({ payload }) => payload.length);
}

test('signatures are bounded in number, in size and in all', async () => {
  const limit = 4 << 20;
  assert.deepEqual(await read([10, 20]), [10, 20]);
  assert.equal((await read(new Array(150).fill(1))).length, 100);
  assert.deepEqual(await read([limit + 1, 5]), [5]);
  assert.deepEqual(await read([limit, limit, 1, 1]), [limit, limit]);
  assert.deepEqual(await read([limit, limit - 1, 1, 1]), [limit, limit - 1, 1]);
});
