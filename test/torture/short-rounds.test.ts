import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { outputOf } from '../support/child-output.js';
import { CAMPAIGNS } from './campaigns.js';

/** Seconds; a busy machine does less. */
const TIME = 15;

const ROUNDS: Readonly<Record<string, readonly string[]>> = {
  kills: ['--count', '6'],
  'power-cuts': ['--count', '3', '--only', 'ext4'],
  'boot-cuts': ['--count', '20', '--only', 'ext4'],
  'full-disks': ['--count', '3'],
  'injected-errors': ['--count', '6'],
  concurrency: ['--count', '25'],
  mutations: ['--count', '5000'],
  'hostile-registry': ['--count', '15'],
  growth: ['--count', '1000'],
  'store-races': ['--count', '20'],
};

describe('a short round of torture', { concurrency: 2 }, () => {
  it('is here for each campaign but one, which has to start a machine', () => {
    assert.deepEqual(Object.keys({ ...ROUNDS, 'secure-cuts': [] }).sort(), Object.keys(CAMPAIGNS).sort());
  });

  for (const [name, args] of Object.entries(ROUNDS)) {
    it(name, async (t) => {
      const main = fileURLToPath(new URL('./main.js', import.meta.url));
      const child = spawn(process.execPath, [main, name, '--seed', '1', '--time', String(TIME), ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const { status, stdout, stderr } = await outputOf(child);
      assert.equal(status, 0, stdout + stderr);
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      t.diagnostic(last);
      if (last.startsWith(`${name}: skipped`)) t.skip(last);
      else assert.match(last, /^[a-z-]+: nothing failed; .*seed 1, [0-9]+ s$/);
    });
  }
});
