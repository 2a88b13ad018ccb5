import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { firstFreeSubordinateId, parseSubordinateIds } from '../../src/system/subordinate-ids.js';
import { inInitialUserNamespace, userNamespaceLauncher } from '../../src/system/user-namespace.js';

test('subordinate ids are found by name and by number', () => {
  const text = '# comment\nann:100000:65536\nbob:165536:65536\n1000:300000:1\nann:x:1\nann:1:2:3\nann:5:0\nann:-1:4\n';
  assert.deepEqual(parseSubordinateIds(text, 'ann', 1000), [
    { start: 100000, count: 65536 },
    { start: 300000, count: 1 },
  ]);
  assert.deepEqual(parseSubordinateIds(text, undefined, 1000), [{ start: 300000, count: 1 }]);
  assert.deepEqual(parseSubordinateIds('ann:4294967296:1', 'ann', 1), []);
  assert.deepEqual(parseSubordinateIds('', 'ann', 1), []);
});

test('ids that nobody has are above those of all users', () => {
  assert.equal(firstFreeSubordinateId([]), 100_000);
  assert.equal(firstFreeSubordinateId(['ann:1000:10\n']), 100_000);
  assert.equal(firstFreeSubordinateId(['ann:100000:65536\nbob:x:1\n', '7:300000:5\n', '# none']), 300_005);
});

test('the launcher makes the user root of another user namespace', (t) => {
  let command: readonly string[];
  try {
    ({ command } = userNamespaceLauncher());
  } catch (error) {
    t.skip(String(error));
    return;
  }
  const [program = '', ...args] = command;
  const run = spawnSync(program, [...args, 'sh', '-c', 'id -u; readlink /proc/self/ns/user'], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  const [uid, namespace] = run.stdout.split('\n');
  assert.equal(uid, '0');
  assert.notEqual(namespace, 'user:[4026531837]');
});

test('whether this is the initial user namespace can be told', () => {
  assert.equal(typeof inInitialUserNamespace(), 'boolean');
});
