import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestSize, HASH_ALGORITHMS } from '../../../src/composefs/fsverity/algorithm.js';
import {
  formatObjectId,
  objectIdFromBytes,
  objectIdFromDirAndBasename,
  objectIdFromPathname,
  objectIdToBytes,
  objectPathname,
  parseObjectId,
} from '../../../src/composefs/fsverity/object-id.js';

const anyDigest = fc.constantFrom(...HASH_ALGORITHMS).chain((algorithm) => {
  const size = digestSize(algorithm);
  return fc.tuple(fc.constant(algorithm), fc.uint8Array({ minLength: size, maxLength: size }));
});

test('an id comes back from bytes, hex in either case, and the place of its object', () => {
  fc.assert(
    fc.property(anyDigest, fc.constantFrom('', 'objects/', '/a/b/'), ([algorithm, digest], prefix) => {
      const id = objectIdFromBytes(digest);
      assert.deepEqual(objectIdToBytes(id), Buffer.from(digest));
      assert.equal(parseObjectId(algorithm, id), id);
      assert.equal(parseObjectId(algorithm, id.toUpperCase()), id);
      assert.equal(formatObjectId(algorithm, id), `${algorithm}:${id}`);
      const pathname = objectPathname(id);
      assert.equal(pathname, `${id.slice(0, 2)}/${id.slice(2)}`);
      assert.equal(objectIdFromPathname(algorithm, prefix + pathname), id);
      assert.equal(objectIdFromDirAndBasename(algorithm, digest[0] ?? 0, pathname.slice(3)), id);
    }),
  );
});

test('what is no id is refused with its reason', () => {
  const hex = '0'.repeat(64);
  for (const [text, message] of [
    ['0', 'Odd number of digits'],
    ['00', 'Invalid string length'],
    [`${hex}00`, 'Invalid string length'],
    [`0x${hex.slice(2)}`, "Invalid character 'x' at position 1"],
  ] as const) {
    assert.throws(() => parseObjectId('sha256', text), { code: 'INVALID_HEX', message });
  }
  assert.throws(() => objectIdFromPathname('sha256', `00-${hex.slice(2)}`), {
    message: "Invalid character '-' at position 2",
  });
  assert.throws(() => objectIdFromPathname('sha256', hex), { message: 'Invalid string length' });
  assert.throws(() => objectIdFromDirAndBasename('sha256', 0, hex), { message: 'Invalid string length' });
});
