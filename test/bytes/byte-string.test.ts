import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  byteStringFrom,
  byteStringFromText,
  byteStringToBuffer,
  byteStringToText,
  compareBytes,
  concatBytes,
  quoteBytes,
  sliceBytes,
  splitBytes,
  writeBytes,
} from '../../src/bytes/byte-string.js';

const anyBytes = fc.uint8Array({ maxLength: 60 });

test('bytes come back as they were', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      assert.deepEqual(byteStringToBuffer(byteStringFrom(bytes)), Buffer.from(bytes));
    }),
  );
});

test('a text comes back as it was, but for what has no UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      assert.equal(byteStringToText(byteStringFromText(text)), Buffer.from(text).toString());
    }),
  );
  assert.equal(byteStringFromText('é'), '\u00c3\u00a9');
  assert.equal(byteStringToText(byteStringFrom(Buffer.from([0x61, 0xff]))), 'a\ufffd');
});

test('byte strings are ordered as their bytes are', () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (a, b) => {
      assert.equal(compareBytes(byteStringFrom(a), byteStringFrom(b)), Buffer.compare(a, b));
    }),
  );
});

test('bytes are written where they belong, short ones and long ones', () => {
  fc.assert(
    fc.property(anyBytes, fc.nat(20), (bytes, offset) => {
      const target = Buffer.alloc(100, 0xee);
      const expected = Buffer.from(target);
      expected.set(bytes, offset);
      writeBytes(target, offset, byteStringFrom(bytes));
      assert.deepEqual(target, expected);
    }),
  );
});

test('parts are joined, cut and quoted', () => {
  const path = concatBytes(byteStringFromText('usr/'), byteStringFromText('lib'));
  assert.deepEqual(splitBytes(path, '/'), ['usr', 'lib']);
  assert.equal(sliceBytes(path, -3), 'lib');
  assert.equal(quoteBytes(byteStringFromText('a"b\né')), '"a\\"b\\né"');
});
