import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Policy } from '../../../src/boot/selinux/policy.js';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { ComposefsError } from '../../../src/errors.js';
import { randomNumbers } from '../../support/random.js';

const COUNT = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 3000);

const POLICY = `# comment
/.*	system_u:object_r:default_t:s0
/usr/(s)?bin(/.*)?	--	system_u:object_r:bin_t:s0
/home/[^/]+/\\.ssh(/.*)?	system_u:object_r:ssh_home_t:s0
/lib(64)?/.+\\.so(\\.[^/]*)*	-l	system_u:object_r:lib_t:s0
/dev/[0-9a-f]{2,4}[[:alpha:]_]?	-c	<<none>>
/opt/(?!bad)(a|b|)+(?<=x)\\b.*?	system_u:object_r:opt_t:s0
/var/(?i:Log)\\x2f\\Qa*b\\E(?#c)(?=y)	-d	system_u:object_r:log_t:s0
`;
const PIECES = [
  ...[
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '*',
    '+',
    '?',
    '|',
    '\\',
    '^',
    '$',
    '.',
    '-',
    ',',
    '9',
    ' ',
    '\n',
    '\0',
    '\xff',
    'é',
    '&&',
  ],
  ...[
    '(?=',
    '(?!',
    '(?<=',
    '(?<!',
    '(?i)',
    '(?',
    '{2}',
    '{1,9}',
    '[^',
    '[[:',
    ':]',
    '\\Q',
    '\\E',
    '\\x',
    '\\b',
    '--',
    '(?x)',
    '#',
  ],
];
const PATHS = [
  '/',
  '/usr/bin/ls',
  '/home/a/.ssh/k',
  '/lib64/x.so.1',
  '/dev/01',
  '/opt/abx',
  '/var/Log/a*by',
  '/\xff\n',
  `/${'ab/'.repeat(1000)}`,
];

test('whatever is in a policy, it gives labels or an error of its own', () => {
  const random = randomNumbers(COUNT);
  let errors = 0;
  for (let run = 0; run < COUNT; run++) {
    let text = POLICY;
    for (let changes = 1 + random(4); changes > 0; changes--) {
      const at = random(text.length + 1);
      const removed = random(3) === 0 ? random(20) : random(2);
      text = text.slice(0, at) + (random(4) === 0 ? '' : PIECES[random(PIECES.length)]) + text.slice(at + removed);
    }
    const bytes = Buffer.from(text, random(3) === 0 ? 'latin1' : 'utf8');
    try {
      const policy = new Policy((file) => (file === 'file_contexts' ? bytes : undefined));
      for (const path of PATHS) {
        for (const type of ['-', 'd'] as const) {
          const label = policy.label(policy.path(path as ByteString), type);
          assert.ok(label === undefined || bytes.includes(Buffer.from(label, 'latin1')));
        }
      }
    } catch (error) {
      if (!(error instanceof ComposefsError)) throw new Error(`run ${run}: ${JSON.stringify(text)}`, { cause: error });
      assert.match(error.code, /^(INVALID_SELINUX_POLICY|UNSUPPORTED_SELINUX_PATTERN|SELINUX_POLICY_TOO_LARGE)$/);
      errors++;
    }
  }
  assert.ok(errors > COUNT / 10 && errors < COUNT, `${errors} errors`);
});
