import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dequote, OsReleaseInfo } from '../../../src/boot/formats/os-release.js';

// Spec 50 §27.4.
test('quotes are taken off', () => {
  for (const [value, plain] of [
    ['', ''],
    ['""', ''],
    ["''", ''],
    [`""''""`, ''],
    ['hello', 'hello'],
    ['1234', '1234'],
    ['\\\\\\\\', '\\\\\\\\'],
    ['\\$\\`\\\\', '\\$\\`\\\\'],
    ['" "', ' '],
    ["'a'", 'a'],
    ["'\\$'", '\\$'],
    ['"closed\\\\"', 'closed\\'],
    ['"\\""', '"'],
    ['"\\\\"', '\\'],
    ['"\\$5"', '$5'],
    ['"$5"', '$5'],
    ['"\\`tick\\`"', '`tick`'],
    [`"\\'"`, "'"],
    ["'\\'", '\\'],
    ["'closed\\'", 'closed\\'],
    ['\u0085a\u3000', 'a'],
  ] as const) {
    assert.equal(dequote(value), plain, value);
  }
  for (const value of [
    '"broken example',
    '"not closed',
    '"not closed\\"',
    '"',
    '"\\',
    '"\\"',
    "'",
    "'not closed",
    "'\\''",
  ]) {
    assert.equal(dequote(value), undefined, value);
  }
});

test('labels are made of names and versions', () => {
  const label = (...lines: string[]) => new OsReleaseInfo(lines.join('\n')).getBootLabel();
  const rest = ['VERSION_ID="Rocky Racoon"', 'VERSION=42', 'ID=pretty-os'];
  assert.equal(label("PRETTY_NAME='prettyOS'", ...rest), 'prettyOS Rocky Racoon');
  assert.equal(label("PRETTY_NAME='prettyOS", ...rest), 'pretty-os Rocky Racoon');
  assert.equal(label('VERSION=42', 'ID=pretty-os'), 'pretty-os 42');
  assert.equal(label("PRETTY_NAME='prettyOS'", 'ID=pretty-os'), 'prettyOS');
  assert.equal(label('ID=pretty-os'), 'pretty-os');
  assert.equal(label('VERSION=1'), undefined);
  // The last one wins, comments count for nothing, and keys are not trimmed.
  assert.equal(label('ID=a', ' # ID=b', 'ID=c\r', ' ID=d'), 'c');
});
