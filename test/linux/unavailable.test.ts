import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWithoutKoffi } from '../support/without-koffi.js';

test('without koffi a call says why it fails and what to do', () => {
  const result = runWithoutKoffi(
    ['linux/flock.js'],
    `try { flock.tryFlock(0, 'shared'); } catch ({ code, message, hint, cause }) { print({ code, message, hint, cause }); }`,
  );
  assert.deepEqual(result, {
    code: 'FFI_UNAVAILABLE',
    message: 'system calls are not available: cannot load koffi: no koffi here',
    hint: `install the optional package @koromix/koffi-linux-${process.arch}`,
  });
});

test('without koffi fs-verity counts as not supported, but nobody is told that a file has none', () => {
  const result = runWithoutKoffi(
    ['composefs/fsverity/kernel.js'],
    `const attempt = (action) => { try { return action(); } catch ({ kind, code, cause }) { return [kind, code, cause?.code]; } };
    print({
      enable: attempt(() => kernel.enableVerityWithRetry(0, 'sha256')),
      measure: attempt(() => kernel.measureVerity(0, 'sha256')),
      optional: String(kernel.measureVerityOpt(0, 'sha256')),
      has: attempt(() => kernel.hasVerity(0, 'sha256')),
    });`,
  );
  assert.deepEqual(result, {
    enable: ['filesystem-not-supported', 'VERITY_NOT_SUPPORTED', 'FFI_UNAVAILABLE'],
    measure: ['filesystem-not-supported', 'VERITY_NOT_SUPPORTED', 'FFI_UNAVAILABLE'],
    optional: 'undefined',
    has: [null, 'FFI_UNAVAILABLE', null],
  });
});

test('koffi is not loaded before a call needs it', () => {
  const result = runWithoutKoffi(
    ['linux/mount-api.js', 'linux/flock.js', 'linux/xattr.js', 'linux/loop.js', 'composefs/fsverity/digest.js'],
    `print(digest.computeVerity('sha256', Buffer.from('hello world')));`,
  );
  assert.equal(result, '1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64');
});
