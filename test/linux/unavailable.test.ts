import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withTempDir } from '../support/paths.js';

/** Makes koffi impossible to find, as on a platform for which there is no build of it. */
const WITHOUT_KOFFI = `
  const Module = require('node:module');
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    if (request.includes('koffi')) throw Object.assign(new Error('no koffi here\\nRequire stack:'), { code: 'MODULE_NOT_FOUND' });
    return resolve.call(this, request, ...rest);
  };`;

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

/** Runs a script with modules of `src/` by their names; returns what it prints. */
function runWithoutKoffi(modules: readonly string[], script: string): unknown {
  return withTempDir((directory) => {
    const preload = join(directory, 'preload.cjs');
    writeFileSync(preload, WITHOUT_KOFFI);
    const imports = modules.map((path) => {
      const name = /([a-z]+)[^/]*\.js$/.exec(path)?.[1];
      return `import * as ${name} from ${JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href)};`;
    });
    const main = join(directory, 'main.mjs');
    const print = 'const print = (value) => console.log(JSON.stringify(value));';
    writeFileSync(main, [...imports, print, script].join('\n'));
    const { stdout, stderr } = spawnSync(process.execPath, ['--require', preload, main], { encoding: 'utf8' });
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  });
}
