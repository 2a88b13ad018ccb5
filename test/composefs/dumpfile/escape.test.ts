import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringFrom, byteStringFromText } from '../../../src/bytes/byte-string.js';
import {
  escapeBytes,
  escapeField,
  escapeUnprintable,
  escapeXattr,
  unescapeBytes,
  unescapeBytesC,
} from '../../../src/composefs/dumpfile/escape.js';

const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => byteStringFrom(bytes));

test('bytes that are escaped come back, and what is written is ASCII without what separates fields', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      for (const [escaping, allowed] of [
        [escapeBytes, /^[!-~]*$/],
        [escapeXattr, /^[!-<>-~]*$/],
        [escapeUnprintable, /^[ -~]*$/],
      ] as const) {
        const text = escaping(bytes);
        assert.match(text, allowed);
        assert.equal(unescapeBytes(byteStringFromText(text)), bytes);
        assert.equal(unescapeBytesC(byteStringFromText(text)), bytes);
      }
      if (bytes.length > 0) assert.equal(unescapeBytes(byteStringFromText(escapeField(bytes))), bytes);
    }),
  );
});

test('an empty field and a dash are told apart', () => {
  assert.deepEqual(
    ['', '-', '--'].map((text) => escapeField(byteStringFromText(text))),
    ['-', '\\x2d', '--'],
  );
});

test('an escape that is cut off or unknown is refused, in the words of either program', () => {
  for (const [text, rust, c] of [
    ['a\\', 'Unterminated escape', 'No character after escape'],
    ['\\x0', 'Unterminated hex escape', 'No hex characters after hex escape'],
    ['\\xg0', 'Invalid hex escape g0', 'Invalid hex characters after hex escape'],
    ['\\q', 'Invalid escape q', 'Unsupported escape type q'],
    ['\\é', 'Invalid escape é', 'Unsupported escape type é'],
  ] as const) {
    assert.throws(() => unescapeBytes(byteStringFromText(text)), { message: rust });
    assert.throws(() => unescapeBytesC(byteStringFromText(text)), { message: c });
  }
});
