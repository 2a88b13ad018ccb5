import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseDecimal, readNumeric, readOctal } from '../../src/tar/numbers.js';

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
    ['\x0017', 0o17],
    ['\0 \0 17\0', 0o17],
    ['\0junk', 0],
    ['\0+7', 0],
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
    assert.equal(numeric('800000007fffffffffffffff'), 2n ** 63n - 1n);
    assert.equal(numeric('ffffffff8000000000000000'), -(2n ** 63n));
  });
  test("a negative number is in two's complement", () => {
    assert.equal(numeric('ffffffffffffffffffffffff'), -1);
    assert.equal(numeric('ffffffffffffffff80000000'), -(2 ** 31));
    assert.equal(numeric('c0000000'), -(2 ** 30));
    assert.equal(numeric('bfffffff'), 2 ** 30 - 1);
  });
  test('what does not fit 64 bits is an error, not what is left of it', () => {
    for (const hex of [
      '807fffff0000000000000005',
      '800000008000000000000000',
      '80000000ffffffffffffffff',
      'fffffffe0000000000000000',
    ]) {
      assert.throws(() => numeric(hex), {
        message: `number beyond 64 bits: [${[...Buffer.from(hex, 'hex')].join(', ')}]`,
      });
    }
  });
  test('without the top bit the field is octal', () => assert.equal(numeric(Buffer.from('17').toString('hex')), 0o17));
});

test('whatever fits 64 bits is read back in 12 bytes, and in 8 what fits those', () => {
  const encode = (value: bigint, length: number): string => {
    const bytes = Buffer.alloc(length);
    for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
    bytes[0] = value < 0n ? (bytes[0] ?? 0) | 0xc0 : ((bytes[0] ?? 0) & 0x3f) | 0x80;
    return bytes.toString('hex');
  };
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      assert.equal(BigInt(numeric(encode(value, 12))), value);
      const small = value >> 2n;
      assert.equal(BigInt(numeric(encode(small, 8))), small);
    }),
  );
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
