import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withTempDir } from './paths.js';

/** Makes koffi impossible to find, as on a platform for which there is no build of it. */
const WITHOUT_KOFFI = `
  const Module = require('node:module');
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    if (request.includes('koffi')) throw Object.assign(new Error('no koffi here\\nRequire stack:'), { code: 'MODULE_NOT_FOUND' });
    return resolve.call(this, request, ...rest);
  };`;

/** Runs a script in a process without koffi, with modules of `src/` by the first words of their names; returns what it prints. */
export function runWithoutKoffi(modules: readonly string[], script: string): unknown {
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
