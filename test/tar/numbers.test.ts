import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { low32, parseDecimal, readNumeric, readOctal, signed64 } from '../../src/tar/numbers.js';

function octal(text: string): number {
  const field = Buffer.from(text, 'latin1');
  return readOctal(field, 0, field.length);
}

function numeric(hex: string): number | bigint {
  const field = Buffer.from(hex, 'hex');
  return readNumeric(field, 0, field.length);
}

describe('octal fields', () => {
  const values: [field: string, value: number][] = [
    ['0000644\0', 0o644],
    ['     123 ', 0o123],
    ['0', 0],
    ['', 0],
    ['   \0\0\0', 0],
    ['        ', 0],
    ['\0\0\0\0\0\0', 0],
    ['      7\0', 7],
    ['0000755', 0o755],
    ['77777777777\0', 0o77777777777],
    ['777777777777', 0o777777777777],
    ['+17\0', 0o17],
    ['\t\n\v\f\r 17 \t\0', 0o17],
    ['17\0garbage', 0o17],
    ['\x0017', 0],
  ];
  for (const [field, value] of values) {
    test(JSON.stringify(field), () => assert.equal(octal(field), value));
  }
  for (const field of ['abc', '128', '8', '1 2', '+', '++1', '-1', '1x2', '\xa07', '1\x80']) {
    test(`${JSON.stringify(field)} is invalid`, () => {
      assert.throws(() => octal(field), {
        message: `invalid octal field: [${[...Buffer.from(field, 'latin1')].join(', ')}]`,
      });
    });
  }

  test('whatever String.prototype.toString writes is read', () => {
    fc.assert(
      fc.property(fc.nat(0o77777777777), fc.constantFrom('\0', ' ', ' \0', ''), (value, end) => {
        assert.equal(octal(value.toString(8) + end), value);
      }),
    );
  });
});

describe('numeric fields in base 256', () => {
  test('small values', () => {
    assert.equal(numeric('80000001'), 1);
    assert.equal(numeric('80000100'), 256);
    assert.equal(numeric('80ff'), 255);
    assert.equal(numeric('800000000000010000000000'), 2 ** 40);
    assert.equal(numeric('80000000001fffffffffffff'), Number.MAX_SAFE_INTEGER);
  });
  test('beyond 2^53 - 1 as a bigint', () => {
    assert.equal(numeric('800000000020000000000000'), 2n ** 53n);
    assert.equal(numeric('80000000ffffffffffffffff'), 2n ** 64n - 1n);
  });
  test('only the low 64 bits count', () => {
    assert.equal(numeric('ffffffffffffffffffffffff'), 2n ** 64n - 1n);
    assert.equal(numeric('807fffff0000000000000005'), 5);
  });
  test('a negative number is its complement', () => {
    assert.equal(signed64(numeric('ffffffffffffffffffffffff')), -1);
    assert.equal(signed64(numeric('ffffffffffffffff80000000')), -(2 ** 31));
    assert.equal(signed64(numeric('800000008000000000000000')), -(2n ** 63n));
    assert.equal(signed64(7), 7);
  });
  test('without the top bit the field is octal', () => assert.equal(numeric(Buffer.from('17').toString('hex')), 0o17));
});

test('the low 32 bits', () => {
  assert.equal(low32(2 ** 32 + 5), 5);
  assert.equal(low32(2 ** 32 - 1), 2 ** 32 - 1);
  assert.equal(low32(2n ** 63n + 7n), 7);
});

test('decimal numbers', () => {
  const values: [string, number | bigint | undefined][] = [
    ['0', 0],
    ['+0', 0],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', 2n ** 53n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['000000000000000000000000000000001', 1],
    ['18446744073709551616', undefined],
    ['100000000000000000000', undefined],
    ['999999999999999999999999', undefined],
    ['', undefined],
    ['+', undefined],
    ['-1', undefined],
    [' 1', undefined],
    ['1 ', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['1\n', undefined],
    ['++1', undefined],
  ];
  for (const [text, value] of values) assert.equal(parseDecimal(text), value, text);
  assert.equal(parseDecimal(`${'0'.repeat(1_000_000)}x`), undefined);
});
