import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonError, parseJson } from '../../src/json/json.js';
import { cpuTime } from '../support/cpu-time.js';

const parse = (text: string): unknown => parseJson(Buffer.from(text));

test('integers are exact and other numbers are numbers', () => {
  assert.deepEqual(parse('[0, -1, 9007199254740993, 18446744073709551615, 1.0, 1e3, -0, 0.5]'), [
    0n,
    -1n,
    9007199254740993n,
    18446744073709551615n,
    1,
    1000,
    -0,
    0.5,
  ]);
});

const invalid: readonly (readonly [string, string])[] = [
  ['', 'expected a value at offset 0'],
  ['{}{}', 'unexpected text after the document at offset 2'],
  ['{"a":1,}', 'expected a key at offset 7'],
  ['[1,]', 'expected a value at offset 3'],
  ['[1 2]', "expected ',' or ']' at offset 3"],
  ['{"a" 1}', "expected ':' at offset 5"],
  ['{"a":1 "b"}', "expected ',' or '}' at offset 7"],
  ['{a:1}', 'expected a key at offset 1'],
  ['"abc', 'unterminated string at offset 4'],
  ['"a\nb"', 'control character in a string at offset 2'],
  ['"\\x"', 'invalid escape in the string that ends at offset 4'],
  ['"\\ud800"', 'unpaired surrogate in the string that ends at offset 8'],
  ['01', 'unexpected text after the document at offset 1'],
  ['+1', 'expected a value at offset 0'],
  ['1.', 'unexpected text after the document at offset 1'],
  ['NaN', 'expected a value at offset 0'],
  ['nul', 'expected a value at offset 0'],
  ['1e999', 'number out of range at offset 5'],
  ['\u{feff}{}', 'expected a value at offset 0'],
  ['{"a":1,"a":1}', 'duplicate key "a" at offset 10'],
  ['{"size":1,"\\u0073ize":2}', 'duplicate key "size" at offset 21'],
  ['{"x":{"__proto__":1,"__proto__":2}}', 'duplicate key "__proto__" at offset 31'],
];

for (const [text, message] of invalid) {
  test(`${JSON.stringify(text)} is no strict JSON`, () => {
    assert.throws(() => parse(text), new JsonError('INVALID_JSON', `invalid JSON: ${message}`));
  });
}

test('bytes that are not UTF-8 are refused', () => {
  for (const hex of ['22ff22', '22c0af22', '22eda08022', '22f09f22']) {
    assert.throws(() => parseJson(Buffer.from(hex, 'hex')), { message: 'JSON document is not valid UTF-8' });
  }
});

test('size, depth and number of values are bounded', () => {
  assert.throws(() => parseJson(Buffer.from('[1, 2]'), 5), {
    code: 'JSON_TOO_LARGE',
    message: 'JSON document of 6 bytes exceeds the limit of 5',
  });
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.doesNotThrow(() => parse(nested(129)));
  assert.throws(() => parse(nested(130)), /nesting deeper than 128/);
  assert.throws(() => parse('['.repeat(1_000_000)), { code: 'JSON_TOO_LARGE' });
  assert.throws(() => parse(`[${'0,'.repeat(1_000_000)}0]`), /more than 1000000 values/);
});

test('a very long integer takes no quadratic time', () => {
  const start = cpuTime();
  assert.throws(() => parse('9'.repeat(4_000_000)), /number out of range/);
  assert.ok(cpuTime() - start < 2000);
});

test('keys of the prototype are ordinary keys', () => {
  const value = parse('{"__proto__": {"polluted": true}, "constructor": 1, "toString": "x"}');
  assert.ok(typeof value === 'object' && value !== null);
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor', 'toString']);
  assert.equal('polluted' in {}, false);
});

test('whatever JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom('', ' ', '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(plain(parse(text)), plain(JSON.parse(text)));
    }),
  );
});

test('text is refused or read as JSON.parse does', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    'a',
    ':',
    ',',
    '1',
    '-',
    '.',
    'e',
    '\\',
    'u',
    'null',
    ' ',
    '0',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      let value: unknown;
      try {
        value = parse(text);
      } catch (error) {
        if (error instanceof JsonError && /duplicate key|out of range/.test(error.message)) return;
        assert.throws(() => JSON.parse(text), `JSON.parse accepts ${text}`);
        return;
      }
      assert.deepEqual(plain(value), plain(JSON.parse(text)));
    }),
    { numRuns: 5000 },
  );
});

/** Integers as numbers, objects as entries, so that the two parsers' results compare. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value) + 0;
  if (typeof value === 'number') return value + 0;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([k, v]) => [k, plain(v)]);
  return value;
}
