import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRustPattern } from '../../../../src/boot/selinux/pattern/rust-syntax.js';
import { PatternSyntaxError, UntranslatableError } from '../../../../src/boot/selinux/pattern/syntax-error.js';
import { matchesStart } from './matching.js';

/** Those of the subjects that a pattern of this dialect matches as a whole. */
function matched(pattern: string, subjects: readonly string[]): string[] {
  const node = parseRustPattern(`^(?:${pattern})$`);
  return subjects.filter((subject) => matchesStart(node, subject));
}

/** All of them checked with regex-automata 0.4.19, as composefs-rs configures it. */
const CASES: readonly [pattern: string, matched: readonly string[], others: readonly string[]][] = [
  ['.', ['a', '\n', '\r', '\xff'], ['\0', '', 'aa']],
  ['(?s).', ['\0', '\n'], ['']],
  ['(?R).', ['a', '\0'], ['\n', '\r']],
  ['[^/]', ['a', '\n', '\0', '\xe9'], ['/']],
  ['\\d\\s\\w', ['0\x0b_', '9 A'], ['0\xa0a', '0 \xe9']],
  ['\\D\\S\\W', ['ab\xff', '\0\0\0'], ['1bb', 'a b', 'aba']],
  ['[[:alpha:]_]+', ['aZ_'], ['1', '\xe9']],
  ['[[:^alpha:]b]+', ['1b\xff'], ['a']],
  ['[[:foo:]]+', [':fo'], ['a', '[']],
  ['[[.a.]]+', ['a.', '..'], [']']],
  ['[]a]+', [']a'], ['[']],
  ['[^]a]', ['b', '['], [']', 'a']],
  ['[-a]+', ['a-'], ['b']],
  ['[--a]+', ['--a'], ['b', '+']],
  ['[a-]+', ['a-'], ['b']],
  ['[a-c-e]+', ['abc-e'], ['d']],
  ['[a[b-d]]+', ['abd'], ['[']],
  ['[a-z&&[^b-y]]+', ['az'], ['b', '&']],
  ['[a-z&&b-y&&c-d]+', ['cd'], ['b']],
  ['[\\w--a-z]+', ['A_0'], ['a']],
  ['[a-c~~b-d]+', ['ad'], ['b', '~']],
  ['[^a&&b]', ['a', 'b', 'c'], []],
  ['[a&&b]?', [''], ['a', 'b']],
  ['[a&]+', ['a&'], ['b']],
  ['[\\]\\-\\x41\\xe9]+', [']-A\xe9'], ['x']],
  ['x*+y', ['xxy', 'y'], ['x']],
  ['x++x', ['xx', 'xxx'], ['x']],
  ['x{2}', ['xx'], ['x', 'xxx']],
  ['x{2,}', ['xx', 'xxxx'], ['x']],
  ['x{1,2}?', ['x', 'xx'], ['', 'xxx']],
  ['x{0}y', ['y'], ['xy']],
  ['(?:a|)(|b)', ['', 'a', 'ab', 'b'], ['ba']],
  ['(a)(?P<n>b)(?<m.1[]>c)(?:d)', ['abcd'], []],
  ['(?i)aé\\x41[b-c]', ['A\xc3\xa9ab', 'a\xc3\xa9AC'], ['A\xc3\xa9ad', 'a\xc3\x89AC']],
  ['a(?i:b)c', ['aBc', 'abc'], ['aBC']],
  ['(?:(?i)a)b', ['Ab'], ['AB']],
  ['(?i)a(?-i)b|c', ['Ab', 'c'], ['AB', 'C']],
  ['(?i-s)A', ['a'], []],
  ['(?U)a+', ['aa'], []],
  ['(?x)a', ['a'], []],
  ['é*', ['', '\xc3\xa9\xc3\xa9'], ['\xc3\xa9\xa9']],
  ['\\xe9', ['\xe9'], ['\xc3\xa9']],
  ['\\x{e9}\\u00E9\\U000000e9', ['\xc3\xa9\xc3\xa9\xc3\xa9'], ['\xe9\xe9\xe9']],
  ['\\x{61}\\x62\\u0063', ['abc'], []],
  ['\\a\\f\\t\\n\\r\\v', ['\x07\x0c\t\n\r\x0b'], []],
  ['\\.\\-\\/\\_\\"\\#\\&\\~\\]\\}', ['.-/_"#&~]}'], []],
  ['\\Aa\\z', ['a'], []],
  [']}', [']}'], []],
  ['a\\bb|a\\b-|-\\b-|-\\Ba|-\\B-', ['a-', '--'], ['ab', '-a']],
  ['-\\<a|a\\<b|a\\>-|-\\b{start}a|-\\b{end}-', ['-a', 'a-'], ['ab', '--']],
  ['(?:-\\b{start-half}a|a\\b{start-half}a|a\\b{end-half}-)+', ['-a', 'a-'], ['aa']],
  ['a\\b{1}', ['a'], []],
  ['(?m)a$\\n^b', ['a\nb'], ['ab']],
  ['(?mR)a$\\r\\n^b', ['a\r\nb'], []],
  ['(?mR)a\\r$\\n^b', [], ['a\r\nb']],
  ['a|$b|^c', ['a', 'c'], ['b']],
  ['(?:(?:a*)*)*b', ['aaab', 'b'], ['a']],
  ['a**', ['', 'aa'], []],
  ['#', ['#'], []],
];

test('constructs mean what they mean to regex-automata', () => {
  for (const [pattern, expected, others] of CASES) {
    assert.deepEqual(matched(pattern, [...expected, ...others]), expected, pattern);
  }
});

test('what regex-syntax refuses is refused', () => {
  const refused = [
    ...['(', ')', 'a)', '(?', '(?a', '(?P', '(?P<', '(?P<1>a)', '(?<a', '(?<>a)', '(?<n>a)(?<n>b)', '(?P=n)', '(?P>n)'],
    ...[
      '(?=a)',
      '(?!a)',
      '(?<=a)',
      '(?<!a)',
      '(?>a)',
      '(?#a)',
      '(?|a)',
      '(?)',
      '(?-)',
      '(?i-)',
      '(?ii)',
      '(?i-i)',
      '(?q)',
    ],
    ...['*', '|*', '(*a)', '(?i)*', '(?i){2}', '{2}', 'a{', 'a{2', 'a{a}', 'a{,2}', 'a{2,1}', 'a{1,2', 'a{4294967296}'],
    ...[
      '[',
      '[]',
      '[^]',
      '[a',
      '[[:alpha:]',
      '[z-a]',
      '[a-\\d]',
      '[\\d-z]',
      '[\\b]',
      '[é]',
      '[\\x{e9}]',
      '[a-é]',
      '[a&&',
    ],
    ...[
      '\\',
      '\\1',
      '\\0',
      '\\8',
      '\\y',
      '\\e',
      '\\h',
      '\\K',
      '\\Q',
      '\\Z',
      '\\G',
      '\\pL',
      '\\é',
      '\\x',
      '\\x4',
      '\\x4g',
    ],
    ...['\\x{}', '\\x{g}', '\\x{110000}', '\\ud800', '\\b{', '\\b{foo}', '\\b{start', '(?x)(#a)'],
  ];
  for (const pattern of refused) {
    assert.throws(() => parseRustPattern(pattern), PatternSyntaxError, pattern);
  }
  assert.throws(() => parseRustPattern('(?u)a'), UntranslatableError);
});

test('nesting is bounded as in regex-syntax', () => {
  const nested = (open: string, close: string, count: number) => `${open.repeat(count)}a${close.repeat(count)}`;
  for (const [open, close, max] of [
    ['(', ')', 250],
    ['(b', ')', 125],
    ['(b|', ')', 125],
    ['', '+', 250],
    ['[', ']', 250],
    ['[b', ']', 125],
  ] as const) {
    assert.ok(parseRustPattern(nested(open, close, max)), open);
    assert.throws(() => parseRustPattern(nested(open, close, max + 1)), { message: 'nested too deeply' }, open);
  }
  for (const open of ['(', '[', '[^']) assert.throws(() => parseRustPattern(open.repeat(60_000)), PatternSyntaxError);
});
