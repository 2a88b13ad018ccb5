import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isOnlyLockHolder, lockHolders } from '../../src/linux/file-locks.js';
import { tryFlock } from '../../src/linux/flock.js';
import { withTempDir } from '../support/paths.js';

const FLOCK = new URL('../../src/linux/flock.js', import.meta.url).href;

test('who holds the locks of a file', () =>
  withTempDir(async (folder) => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    const [first, second] = [openSync(path, 'r'), openSync(path, 'r')];
    assert.deepEqual([isOnlyLockHolder(first), lockHolders(first)], [false, []]);
    tryFlock(first, 'shared');
    assert.deepEqual([isOnlyLockHolder(first), isOnlyLockHolder(second)], [true, false]);
    // This process does not count as another.
    assert.deepEqual(lockHolders(second), []);
    tryFlock(second, 'shared');
    assert.deepEqual([isOnlyLockHolder(first), isOnlyLockHolder(second)], [false, false]);
    tryFlock(second, 'unlock');

    const holder = spawn(process.execPath, [
      '-e',
      `import(${JSON.stringify(FLOCK)}).then(({ tryFlock }) => {
      console.log(tryFlock(require('fs').openSync(${JSON.stringify(path)}), 'shared'));
      process.title = 'holder';
      setInterval(() => {}, 1000);
    });`,
    ]);
    try {
      const [output] = await once(holder.stdout, 'data');
      assert.equal(String(output), 'true\n');
      assert.equal(isOnlyLockHolder(first), false);
      assert.deepEqual(
        lockHolders(second).map(({ pid }) => pid),
        [holder.pid],
      );
      assert.match(lockHolders(second)[0]?.name ?? '', /^\S+/);
    } finally {
      holder.kill();
      await once(holder, 'exit');
    }
    assert.equal(isOnlyLockHolder(first), true);
    closeSync(first);
    closeSync(second);
  }));
