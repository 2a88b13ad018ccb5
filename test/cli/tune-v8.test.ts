import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { v8Tuning } from '../../src/cli/tune-v8.js';

test('only releases of V8 that were measured get flags', () => {
  const small = '--semi-space-growth-factor=1';
  const late = { flags: ['--battery-saver-mode', small], later: { ms: 2500, flags: ['--no-battery-saver-mode'] } };
  assert.deepEqual(v8Tuning('11.3.244.8-node.38'), {
    flags: ['--interrupt-budget=2000000', '--wasm-tiering-budget=100000000', small],
    later: { ms: 400, flags: ['--interrupt-budget=400000'] },
  });
  assert.deepEqual(v8Tuning('12.4.254.21-node.57'), { flags: ['--invocation-count-for-turbofan=15000', small] });
  assert.deepEqual(v8Tuning('13.6.233.17-node.63'), late);
  assert.deepEqual(v8Tuning('14.6.202.34-node.40'), late);
  assert.deepEqual(v8Tuning('11.30.1'), { flags: [] });
  assert.deepEqual(v8Tuning('14.1.146.11-node.25'), { flags: [] });
});

test('the V8 of this process knows its flags, and its young generation stays small', () => {
  const { flags, later } = v8Tuning(process.versions.v8);
  const program = `
    for (const flag of ${JSON.stringify([...flags, ...(later?.flags ?? [])])}) v8.setFlagsFromString(flag);
    const kept = [];
    for (let n = 0; n < 200000; n++) kept.push({ n });
    const young = v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    console.log(kept.length, young.space_size <= 4 << 20);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: `200000 ${flags.length > 0}\n`, stderr: '' });
});
