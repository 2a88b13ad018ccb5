import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionScanner, type OptionSyntax } from '../../../src/cli/tools/getopt.js';
import { strtol } from '../../../src/cli/tools/mkcomposefs-options.js';

const SYNTAX: OptionSyntax = {
  short: 'hvt:o:',
  long: { 'print-digest': false, 'print-digest-only': false, threads: true },
};

/** Each option as `name` or `name=value`, each problem as its message, then the operands. */
function scan(...args: readonly string[]): [found: string[], operands: string[]] {
  const scanner = new OptionScanner(args, SYNTAX);
  const found = [...scanner].map((each) => {
    if (each.kind !== 'option') return `${each.kind}: ${each.message}`;
    return each.value === undefined ? each.name : `${each.name}=${each.value}`;
  });
  return [found, scanner.operands];
}

test('long options may be abbreviated as far as they are unambiguous', () => {
  assert.deepEqual(scan('--threads=4', '--threads', '5', '--t=', '--thr', '--x'), [
    ['threads=4', 'threads=5', 'threads=', 'threads=--x'],
    [],
  ]);
  assert.deepEqual(scan('--print-digest', '--print-digest-o'), [['print-digest', 'print-digest-only'], []]);
  assert.deepEqual(scan('--print=1'), [
    ["unknown: option '--print=1' is ambiguous; possibilities: '--print-digest' '--print-digest-only'"],
    [],
  ]);
});

test('what is wrong is said in the words of the C library', () => {
  assert.deepEqual(scan('--bogus=x'), [["unknown: unrecognized option '--bogus=x'"], []]);
  assert.deepEqual(scan('--print-digest=x'), [["unknown: option '--print-digest' doesn't allow an argument"], []]);
  assert.deepEqual(scan('--threads'), [["missing-value: option '--threads' requires an argument"], []]);
  assert.deepEqual(scan('-x:'), [["unknown: invalid option -- 'x'", "unknown: invalid option -- ':'"], []]);
  assert.deepEqual(scan('-to'), [['t=o'], []]);
  assert.deepEqual(scan('-vt'), [['v', "missing-value: option requires an argument -- 't'"], []]);
});

test('short options may share a dash, and the last of them its value', () => {
  assert.deepEqual(scan('-hvtcomposefs', '-o', 'ro', '-oa,b'), [['h', 'v', 't=composefs', 'o=ro', 'o=a,b'], []]);
});

test('operands may stand anywhere; two dashes end the options', () => {
  assert.deepEqual(scan('a', '-v', '-', 'b', '--', '-h', '--', 'c'), [['v'], ['a', '-', 'b', '-h', '--', 'c']]);
  assert.deepEqual(scan('-t', '--', 'x'), [['t=--'], ['x']]);
});

test('with POSIXLY_CORRECT the first operand ends the options', () => {
  process.env['POSIXLY_CORRECT'] = '';
  try {
    assert.deepEqual(scan('-v', 'a', '-h'), [['v'], ['a', '-h']]);
  } finally {
    delete process.env['POSIXLY_CORRECT'];
  }
});

test('numbers are read as C does', () => {
  assert.equal(strtol('12'), 12n);
  assert.equal(strtol(' \t+007'), 7n);
  assert.equal(strtol('-1'), -1n);
  assert.equal(strtol('9223372036854775808'), 2n ** 63n - 1n);
  assert.equal(strtol(`-1${'0'.repeat(100_000)}`), -(2n ** 63n));
  for (const text of ['', ' ', '1 ', '0x10', '1.5', '--1']) assert.equal(strtol(text), undefined);
});
