import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const skip = process.getuid?.() !== 0 && 'only root may hide /dev';

test('where there is no /dev/fuse the error says how to get it', { skip }, () => {
  const module = new URL('../../src/linux/fuse-device.js', import.meta.url);
  const script = `const { openFuseDevice } = await import(${JSON.stringify(module.href)});
    try { openFuseDevice(); } catch ({ message, cause, hint }) { console.log([message, cause.code, hint].join('|')); }`;
  const hidden = 'mount -t tmpfs none /dev && exec "$0" --input-type=module -e "$1"';
  const args = ['--mount', 'sh', '-c', hidden, process.execPath, script];
  const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
  assert.equal(stderr, '');
  const hint = 'as root: modprobe fuse; a container needs to be given the device: --device /dev/fuse';
  assert.equal(stdout, `Unable to open fuse device /dev/fuse|ENOENT|${hint}\n`);
});
