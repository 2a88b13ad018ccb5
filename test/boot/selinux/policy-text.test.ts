import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContextSpecs, parseSelinuxConfig, parseSubstitutions } from '../../../src/boot/selinux/policy-text.js';

/** Unicode's, and no other: U+FEFF and U+200B are none. */
const WHITE_SPACE =
  '\t\x0b\x0c \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';

test('the config names the policy', () => {
  const cases: [config: string, policy: string | undefined][] = [
    ['', undefined],
    ['SELINUXTYPE', undefined],
    ['SELINUX=enforcing\n', undefined],
    ['SELINUXTYPE=targeted', 'targeted'],
    ['SELINUXTYPE=targeted\r\n', 'targeted'],
    ['SELINUXTYPE=a\nSELINUXTYPE=b\n', 'a'],
    [' \tSeLinuxType\u3000 = \u0085a=b # c\u2003', 'a=b # c'],
    ['# SELINUXTYPE=a\n#SELINUXTYPE=b\nSELINUX=disabled\nSELINUXTYPE=\n', ''],
    ['\ufeffSELINUXTYPE=a\n', undefined],
    ['SELİNUXTYPE=a\nSELINUXTYPE =\ufeffa', '\ufeffa'],
  ];
  for (const [config, policy] of cases) assert.equal(parseSelinuxConfig(Buffer.from(config)), policy, config);
});

test('specs are fields between white space of Unicode', () => {
  const text = `# a comment\n\n  #x y z a b\n/a\tA\r\n/b  --\tB\n ${WHITE_SPACE}/c${WHITE_SPACE}-d${WHITE_SPACE}C${WHITE_SPACE}\n/d\ufeff\u200b <<none>>\r\r\n/e E`;
  assert.deepEqual(
    [...parseContextSpecs(Buffer.from(text), 'f')],
    [
      { pattern: '^(/a).$', context: 'A', file: 'f', line: 4 },
      { pattern: '^(/b)-$', context: 'B', file: 'f', line: 5 },
      { pattern: '^(/c)d$', context: 'C', file: 'f', line: 6 },
      { pattern: '^(/d\ufeff\u200b).$', context: '<<none>>', file: 'f', line: 7 },
      { pattern: '^(/e).$', context: 'E', file: 'f', line: 8 },
    ],
  );
});

test('lines that are no specs are told by their index', () => {
  const cases: [text: string | Buffer, message: string][] = [
    ['/a', '0: missing separator after regex'],
    ['\n\n/a b c', '2: trailing data'],
    ['/a -- b c', '0: trailing data'],
    ['/a - b', '0: invalid type code -'],
    ['/a -x b', '0: invalid type code -x'],
    ['/a --- b', '0: invalid type code ---'],
    ['/a -d', '0: missing context field'],
    [Buffer.from('/a b\n/\xff b\n', 'latin1'), '1: not UTF-8'],
    [Buffer.from('/a\n/\xff b\n', 'latin1'), '0: missing separator after regex'],
  ];
  for (const [text, message] of cases) {
    const parse = () => [...parseContextSpecs(Buffer.from(text), 'f')];
    assert.throws(parse, { code: 'INVALID_SELINUX_POLICY', message });
  }
});

test('substitutions are pairs', () => {
  assert.deepEqual(
    [...parseSubstitutions(Buffer.from('# a b c\n\n/a\u00a0/b\n/a /c \n'))],
    [
      ['/a', '/b'],
      ['/a', '/c'],
    ],
  );
  const fails = (text: string, message: string) =>
    assert.throws(() => [...parseSubstitutions(Buffer.from(text))], { code: 'INVALID_SELINUX_POLICY', message });
  fails('\n/a', '1: missing original path');
  fails('/a /b #', '0: trailing data');
});
