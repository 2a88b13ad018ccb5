import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Policy } from '../../../src/boot/selinux/policy.js';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { cpuTime } from '../../support/cpu-time.js';

function policyOf(files: Readonly<Record<string, string | Buffer>>): Policy {
  return new Policy((file) => {
    const content = files[file];
    return content === undefined ? undefined : Buffer.from(content);
  });
}

function labelOf(policy: Policy, path: string): string | undefined {
  return policy.label(policy.path(path as ByteString), '-');
}

/** The error of a policy, which has to come soon. */
function failure(files: Readonly<Record<string, string | Buffer>>, ...paths: readonly string[]): ComposefsError {
  const start = cpuTime();
  let error: unknown;
  try {
    const policy = policyOf(files);
    for (const path of paths) labelOf(policy, path);
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(cpuTime() - start < 60_000, `${cpuTime() - start} ms`);
  assert.ok(error instanceof ComposefsError, String(error));
  return error;
}

const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');

test('errors name the file, the line, and what is wrong', () => {
  const cases: [files: Record<string, string>, code: string, message: string][] = [
    [{}, 'INVALID_SELINUX_POLICY', 'SELinux policy is missing mandatory file_contexts file'],
    [
      { file_contexts: '/a b\n\n/a\n' },
      'INVALID_SELINUX_POLICY',
      'SELinux spec file file_contexts: 2: missing separator after regex',
    ],
    [
      { file_contexts: '', 'file_contexts.homedirs': '/a -q b' },
      'INVALID_SELINUX_POLICY',
      'SELinux spec file file_contexts.homedirs: 0: invalid type code -q',
    ],
    [
      { file_contexts: '', 'file_contexts.subs_dist': '/a' },
      'INVALID_SELINUX_POLICY',
      'SELinux subs file file_contexts.subs_dist: 0: missing original path',
    ],
    [
      { file_contexts: '/a b\n', 'file_contexts.local': '#\n/a( b\n' },
      'INVALID_SELINUX_POLICY',
      'file_contexts.local, line 2: Compiling PCRE2 regex: ^(/a().$: missing closing parenthesis',
    ],
    [
      { file_contexts: '/a b\n/(a)\\1 -d b\n' },
      'UNSUPPORTED_SELINUX_PATTERN',
      'file_contexts, line 2: no automaton can do what the pattern ^(/(a)\\1)d$ asks for: \\1',
    ],
  ];
  for (const [files, code, message] of cases) {
    const error = failure(files);
    assert.equal(fullMessage(error), message);
    assert.equal(error.code, code);
  }
  const long = failure({ file_contexts: `/${'('.repeat(1000)} b` });
  assert.equal(
    long.message,
    `file_contexts, line 1: Compiling PCRE2 regex: ^(/${'('.repeat(197)}…: parentheses are too deeply nested`,
  );
});

const LONG = `/${'a'.repeat(4094)}`;

test('patterns that make others backtrack for ever take no time', () => {
  const start = cpuTime();
  const policy = policyOf({
    file_contexts: `/(a*)*b x\n/((a|a)*)*c x\n/(.*a){30}b x\n/(a?){300}a{300}d x\n/((a+)+)+(?=b). x\n/(?!(.*a)*b)(.*a)*c x\n${'/a'.padEnd(240, '+')} y\n`,
  });
  assert.equal(labelOf(policy, LONG), 'y');
  assert.equal(labelOf(policy, `${LONG}b`), 'x');
  assert.equal(labelOf(policy, `${LONG}/`), undefined);
  assert.ok(cpuTime() - start < 10_000, `${cpuTime() - start} ms`);
});

test('patterns that grow when they are written out are refused', () => {
  for (const pattern of ['/((a{1000}){1000}){1000}', '/a{4294967295}', `/${'(a'.repeat(20)}${'){9}'.repeat(20)}`]) {
    const error = failure({ file_contexts: `${pattern} x` });
    assert.equal(error.code, 'SELINUX_POLICY_TOO_LARGE', pattern);
    assert.equal(error.message, 'the patterns are too large');
  }
  const policy = policyOf({ file_contexts: '/(){4294967295}(a{0}){0,4294967295} x' });
  assert.equal(labelOf(policy, '/'), 'x');
});

test('work is bounded where every byte means work', () => {
  const error = failure({ file_contexts: '/(a?){200000} x' }, LONG);
  assert.equal(error.code, 'SELINUX_POLICY_TOO_COMPLEX');
  assert.equal(error.message, 'matching the patterns takes too much time');
});

test('sizes are bounded', () => {
  const cases: [files: Record<string, string>, message: string][] = [
    [
      { file_contexts: `/${'a'.repeat(65_531)} x` },
      'file_contexts, line 1: a pattern of 65537 characters is longer than 65536',
    ],
    [
      { file_contexts: '/a x\n'.repeat(500_001) },
      'SELinux spec file file_contexts: the policy has more than 500000 rules',
    ],
    [
      { file_contexts: '', 'file_contexts.subs': `/a ${'b'.repeat(4097)}` },
      'SELinux subs file file_contexts.subs: an alias is longer than 4096 characters',
    ],
    [{ file_contexts: lines(500, (index) => `/${'ab?'.repeat(10_000)}${index} x`) }, 'the patterns are too large'],
  ];
  for (const [files, message] of cases) {
    const error = failure(files);
    assert.equal(error.code, 'SELINUX_POLICY_TOO_LARGE');
    assert.equal(fullMessage(error), message);
  }
});

test('100,000 rules, long lines and odd bytes are no trouble', () => {
  const start = cpuTime();
  const many = policyOf({ file_contexts: lines(100_000, (index) => `/usr/share/x${index}(/.*)? x${index}`) });
  assert.equal(labelOf(many, '/usr/share/x99999/y'), 'x99999');
  assert.equal(labelOf(many, '/usr/share/x'), undefined);
  const open = policyOf({ file_contexts: lines(20_000, (index) => `/.*(?=x).*${index} x${index}`) });
  assert.equal(labelOf(open, '/ax19999'), 'x19999');
  assert.equal(labelOf(open, '/a19999'), undefined);
  const odd = policyOf({
    file_contexts: `${'#'.repeat(10_000_000)}\n${' '.repeat(10_000_000)}\n/${'[^/]*'.repeat(10_000)} x\n/\0?a\0 y\n/(${'a|'.repeat(20_000)}b)c z\n/é\u{1f600} ${'c'.repeat(100_000)}`,
  });
  assert.equal(labelOf(odd, `/${'b'.repeat(4000)}`), 'x');
  assert.equal(labelOf(odd, '/\0a\0'), 'y');
  assert.equal(labelOf(odd, '/bc'), 'z');
  assert.equal(labelOf(odd, Buffer.from('/é\u{1f600}').toString('latin1')), 'c'.repeat(100_000));
  assert.ok(cpuTime() - start < 30_000, `${cpuTime() - start} ms`);
});
