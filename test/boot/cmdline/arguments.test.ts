import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addArgument,
  formatCmdline,
  getCmdlineValue,
  parseCmdline,
  quoteArgument,
  removeArgument,
  splitCmdline,
} from '../../../src/boot/cmdline/arguments.js';

test('a command line is split at white space outside of quotes', () => {
  assert.deepEqual(splitCmdline('quiet  a="b c" d'), ['quiet', '', 'a="b c"', 'd']);
  assert.deepEqual(splitCmdline(''), ['']);
  assert.deepEqual(splitCmdline('a\tb\nc\fd\re\vf'), ['a', 'b', 'c', 'd', 'e\vf']);
  assert.deepEqual(splitCmdline('a="b c'), ['a="b c']);
  assert.deepEqual(splitCmdline('"a b"c d'), ['"a b"c', 'd']);
});

test('values are found by what is before them', () => {
  assert.equal(getCmdlineValue('quiet root=/dev/sda1 root=x', 'root='), '/dev/sda1');
  assert.equal(getCmdlineValue('a="b c"', 'a='), '"b c"');
  assert.equal(getCmdlineValue('quiet', 'root='), undefined);
});

test('arguments are read as the kernel reads them', () => {
  assert.deepEqual(parseCmdline(' quiet a="b c" "d=e f" g= "h'), [
    { key: 'quiet', value: undefined },
    { key: 'a', value: 'b c' },
    { key: 'd', value: 'e f' },
    { key: 'g', value: '' },
    { key: 'h', value: undefined },
  ]);
});

test('arguments are added and removed', () => {
  assert.equal(addArgument('quiet splash root=/dev/sda1', 'root=/dev/sda2'), 'quiet splash root=/dev/sda2');
  assert.equal(addArgument('quiet', 'ro'), 'quiet ro');
  assert.equal(addArgument('quiet rwfoo=1 x', 'rw'), 'quiet rw x');
  assert.equal(addArgument('a  b=1  b=2', 'b=3'), 'a  b=3  b=2');
  assert.equal(removeArgument('a root=x b root rootfs=y', 'root'), 'a b rootfs=y');
  assert.equal(removeArgument('a  b', 'c'), 'a  b');
});

test('what no quotes can express is refused', () => {
  assert.equal(quoteArgument('a', 'b c'), 'a="b c"');
  assert.throws(() => quoteArgument('a', 'b"c'), { code: 'INVALID_KERNEL_ARGUMENT' });
  assert.throws(() => quoteArgument('a b'), { code: 'INVALID_KERNEL_ARGUMENT' });
  assert.throws(() => quoteArgument('a', 'b\nc'), { code: 'INVALID_KERNEL_ARGUMENT' });
});

test('what is printed is read again', () => {
  const value = fc.string().filter((text) => !/["\p{Cc}]/u.test(text));
  const key = value.filter((text) => text !== '' && !/[=\s]/.test(text));
  const argument = fc.record({ key, value: fc.option(value, { nil: undefined }) }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(argument), (args) => assert.deepEqual(parseCmdline(formatCmdline(args)), args)));
});
