import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { lateOptimizationFlag } from '../../src/cli/compile-less.js';

test('only releases of V8 that were measured get a flag', () => {
  assert.equal(lateOptimizationFlag('11.3.244.8-node.38'), '--interrupt-budget=400000');
  assert.equal(lateOptimizationFlag('12.4.254.21-node.57'), '--invocation-count-for-turbofan=15000');
  assert.equal(lateOptimizationFlag('13.6.233.17-node.63'), '--battery-saver-mode');
  assert.equal(lateOptimizationFlag('14.6.202.34-node.40'), '--battery-saver-mode');
  assert.equal(lateOptimizationFlag('11.30.1'), undefined);
  assert.equal(lateOptimizationFlag('14.1.146.11-node.25'), undefined);
});

test('the V8 of this process knows its flag', () => {
  const flag = lateOptimizationFlag(process.versions.v8);
  const program = `v8.setFlagsFromString(${JSON.stringify(flag ?? '--no-warnings')}); console.log('runs')`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'runs\n', stderr: '' });
});
