import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Crc64 } from '../../src/storage/crc64.js';

/** Spec 60 §22.1. */
const VECTORS: readonly [content: Buffer, crc: string][] = [
  [Buffer.from('a'), '3420000000000000'],
  [Buffer.from('new\n'), '615ab2ddb0000000'],
  [Buffer.from('long'), '31bd8c3ed0000000'],
  [Buffer.from('hello world\n'), '44e9cf3f572ad9ac'],
  [Buffer.alloc(100, 'x'), 'a804b7ccedefdefd'],
  [Buffer.alloc(65, 'y'), 'e3b13393b1339393'],
  [Buffer.alloc(4096), '492fc33c906fff90'],
  [Buffer.from('123456789'), 'b90956c775a41001'],
  [Buffer.alloc(0), '0000000000000000'],
];

test('CRC-64 as tar-split notes it', () => {
  for (const [content, crc] of VECTORS) assert.equal(new Crc64().update(content).digest().toString('hex'), crc);
});

test('the CRC is that of the whole, however it is cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (data, cut) => {
      const whole = new Crc64().update(data).digest();
      const parts = new Crc64().update(data.subarray(0, cut)).update(data.subarray(cut)).digest();
      assert.deepEqual(parts, whole);
    }),
  );
});
