import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePcrePattern } from '../../../../src/boot/selinux/pattern/pcre-syntax.js';
import { PatternSyntaxError, UntranslatableError } from '../../../../src/boot/selinux/pattern/syntax-error.js';
import { matchesStart } from './matching.js';

function matched(pattern: string, subjects: readonly string[]): string[] {
  const node = parsePcrePattern(`^(?:${pattern})$`);
  return subjects.filter((subject) => matchesStart(node, subject));
}

/** All of them checked with PCRE2 10.42 and 10.46. */
const CASES: readonly [pattern: string, matched: readonly string[], others: readonly string[]][] = [
  ['.', ['a', '\0', '\r', '\xff'], ['\n']],
  ['(?s).', ['\n'], []],
  ['\\N', ['a'], ['\n']],
  ['\\N{2}', ['aa'], ['a']],
  ['[a[b]+', ['[ab'], [']']],
  ['[a&&b]+', ['a&b'], ['c']],
  ['[+--]+', ['+-,'], ['a']],
  ['[--a]+', ['-Aa'], ['b']],
  ['[a-c-e]+', ['b-e'], ['d']],
  ['[]a]+', [']a'], ['[']],
  ['[^]a]', ['b', '\n'], [']', 'a']],
  ['[^\\E]a]', ['b'], [']', 'a']],
  ['[\\Qa-c]\\E\\]d]+', ['a-c]d'], ['b']],
  ['[a-\\Ec\\Q-\\Ez]+', ['abc-z'], ['d']],
  ['[[:alpha:]-]+', ['a-'], ['1']],
  ['[[:^alpha:]]', ['1', '\xe9'], ['a']],
  ['[[:alpha]+', ['[:alph'], [']']],
  ['[\\b\\t\\x41\\101\\o{102}\\cC\\e\\h]+', ['\x08\tAAB\x03\x1b\xa0 '], ['b']],
  ['[\\d-]+', ['1-'], ['a']],
  ['[\\é]+', ['\xc3\xa9'], []],
  ['é{2}', ['\xc3\xa9\xa9'], ['\xc3\xa9\xc3\xa9']],
  ['a{1|{|a{|{,}|{x}', ['a{1', '{', 'a{', '{,}', '{x}'], []],
  ['\\Qa*\\E*', ['a', 'a***'], ['a*a*']],
  ['a\\E*', ['', 'aa'], []],
  ['a(?#b)*', ['', 'aa'], []],
  ['\\<a\\>', ['<a>'], []],
  ['\\h\\H\\v\\V', ['\xa0a\x85a', '\ta\na'], ['aa\na']],
  ['\\s', ['\x0b', ' '], ['\xa0']],
  ['\\0\\012\\x{0a}\\x0a', ['\0\n\n\n'], []],
  ['\\Aa\\Z|\\Gb\\z', ['a', 'b'], []],
  ['(?i)aB', ['ab', 'AB'], []],
  ['(?^)a(?i:b)(?^:B)', ['aBB', 'abB'], ['abb']],
  ["(?'n'a)(?<m>b)(?P<o>c)(?|d|e)", ['abcd', 'abce'], []],
  ['(?xx)a', ['a'], []],
  ['(?m)a$\\n^b', ['a\nb'], []],
  ['a(?=b)b|a(?!b).', ['ab', 'ac'], ['a']],
  ['.*(?<=a)b|.*(?<!a)c', ['ab', 'bc', 'xab', 'c'], ['b', 'ac']],
  ['.(?<=a|bc|d{2}).*', ['axyz'], ['bc', 'dd']],
  ['(?=a)*b', ['b'], []],
  ['(?=a)+b', [], ['b']],
  ['(?:(?!bad)[^/])*', ['good', 'ba'], ['bad', 'a/b', 'xbad']],
  ['(?=(?=a).b)a.*', ['ab', 'abc'], ['ac']],
  ['(?<=(?<!x)a)?(?<!b)a', ['a'], []],
  ['.(?=.(?<=ab)).', ['ab'], ['bb', 'aa']],
  ['[[:<:]]a[[:>:]]', ['a'], []],
  ['()*a', ['a'], []],
];

test('constructs mean what they mean to PCRE2', () => {
  for (const [pattern, expected, others] of CASES) {
    assert.deepEqual(matched(pattern, [...expected, ...others]), expected, pattern);
  }
});

test('what PCRE2 refuses is refused', () => {
  const refused = [
    ...[
      '(',
      ')',
      '(?',
      '(?i',
      '(?q)',
      '(?i^)',
      '(?^-i)',
      '(?i-m-s)',
      '(?<',
      '(?<1>a)',
      '(?<é>a)',
      '(?P',
      '(?#a',
      '(?ia',
    ],
    ...['*', '|*', '^*', '$*', '\\b*', '\\A+', '(?i)*', 'a**', 'a{1}{2}', 'a{2,1}', 'a{65536}', '{1}'],
    ...[
      '[',
      '[]',
      '[^]',
      '[\\',
      '[z-a]',
      '[a-\\d]',
      '[\\d-z]',
      '[[:digit:]-z]',
      '[a-[:digit:]]',
      '[[:foo:]]',
      '[[.a.]]',
    ],
    ...['[[=a=]]', '[:alpha:]', '[\\B]', '[\\N]', '[\\E]', '[\\Q]', '[[:>:]x]'],
    ...['\\', '\\i', '\\u0061', '\\L', '\\x{}', '\\x{zz}', '\\x{100}', '\\N{U+61}', '\\o', '\\o{8}', '\\c', '\\cé'],
    ...['(?<=a*)', '(?<=a{1,256})', '(?<=a{65536})', '(?<!(a|b+))', '(\\Qa)'],
  ];
  for (const pattern of refused) {
    assert.throws(() => parsePcrePattern(pattern), PatternSyntaxError, pattern);
  }
  assert.throws(() => parsePcrePattern(`${'('.repeat(251)}${')'.repeat(251)}`), PatternSyntaxError);
  assert.ok(parsePcrePattern(`${'('.repeat(250)}${')'.repeat(250)}`));
  assert.throws(() => parsePcrePattern('('.repeat(60_000)), PatternSyntaxError);
});

test('what is not regular is named', () => {
  const cases: readonly [pattern: string, message: string][] = [
    ['(a)\\1', '\\1'],
    ['(?>a)', '(?>'],
    ['(?P>n)', '(?P>'],
    ['(?P=n)', '(?P='],
    ['(?R)', '(?R'],
    ['(?1)', '(?1'],
    ['(?+1)', '(?+1'],
    ['(?&n)', '(?&'],
    ['(?(1)a)', '(?('],
    ['(?C)', '(?C'],
    ['(*ACCEPT)', '(*A'],
    ['a*+', 'a possessive quantifier'],
    ['a{2}+', 'a possessive quantifier'],
    ['\\K', '\\K'],
    ['\\R', '\\R'],
    ['\\X', '\\X'],
    ['\\C', '\\C'],
    ['\\pL', '\\p'],
    ['\\g1', '\\g'],
    ['\\k<n>', '\\k'],
    ['a{,2}', '{,n}, of which versions of PCRE2 make different things'],
    ['\\x', '\\x without digits, of which versions of PCRE2 make different things'],
    ['(?<n>a)(?<n>b)', 'two groups of one name'],
    ['[\\R]', '\\R'],
  ];
  for (const [pattern, message] of cases) {
    assert.throws(
      () => parsePcrePattern(pattern),
      (error) => error instanceof UntranslatableError && error.message === message,
      pattern,
    );
  }
});
