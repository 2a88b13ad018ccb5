import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { low32, parseLenientU64, parseU64 } from '../../../src/composefs/mkcomposefs/c-integer.js';

const U64_MAX = 2n ** 64n - 1n;

function parse(text: string, base: 8 | 10 = 10): bigint {
  return BigInt(parseU64(byteStringFromText(text), base));
}

test('every 64-bit number is read as it is, in both bases, with any number of zeros before it', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, U64_MAX), fc.nat(30), (value, zeros) => {
      assert.equal(parse('0'.repeat(zeros) + value.toString(10)), value);
      assert.equal(parse('0'.repeat(zeros) + value.toString(8), 8), value);
      assert.equal(low32(parseU64(byteStringFromText(value.toString()), 10)), Number(value & 0xffff_ffffn));
    }),
  );
  for (const exponent of [0n, 3n, 15n, 16n, 19n]) {
    for (const value of [10n ** exponent - 1n, 10n ** exponent]) assert.equal(parse(value.toString()), value);
  }
});

test('as strtoull: white space, a sign, a minus that wraps, the maximum for what is larger', () => {
  assert.equal(parse('\t\r+12'), 12n);
  assert.equal(parse('-1'), U64_MAX);
  assert.equal(parse('-0'), 0n);
  assert.equal(parse('18446744073709551615'), U64_MAX);
  assert.equal(parse('18446744073709551616'), U64_MAX);
  assert.equal(parse('-18446744073709551616'), U64_MAX);
  assert.equal(parse('9'.repeat(1000)), U64_MAX);
  assert.equal(parse('2000000000000000000000', 8), U64_MAX);
});

test('anything else is refused, or 0 where C does not look', () => {
  for (const text of ['', ' ', '-', '+-1', '1 ', '0x10', '1.0', 'a', '12a', '٣']) {
    assert.throws(() => parse(text), { message: `Invalid integer ${text}` }, text);
    assert.equal(parseLenientU64(byteStringFromText(text), true), 0);
    assert.throws(() => parseLenientU64(byteStringFromText(text), false), { message: `Invalid integer ${text}` });
  }
  assert.throws(() => parse('8', 8), { message: 'Invalid integer 8' });
  assert.equal(parseLenientU64(byteStringFromText('7'), true), 7);
});
