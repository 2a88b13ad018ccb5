import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requestedTool } from '../../../src/cli/tools/run-tool.js';
import { toolAfterGlobals } from '../../../src/cli/tools/tool-after-globals.js';
import { CFSCTL, cfsctl } from '../../support/cfsctl.js';
import { withTempDir } from '../../support/paths.js';

test('a tool is asked for by the name of the program, else by the first argument', () => {
  const request = (...argv: readonly string[]): unknown => requestedTool(['node', ...argv]);
  assert.deepEqual(request('/bin/mkcomposefs', 'a', 'b'), { name: 'mkcomposefs', args: ['a', 'b'] });
  assert.deepEqual(request('/sbin/mount.composefs'), { name: 'mount.composefs', args: [] });
  assert.deepEqual(request('composefs-info', 'mkcomposefs'), { name: 'composefs-info', args: ['mkcomposefs'] });
  assert.deepEqual(request('/bin/cfsctl', 'mount.composefs', '-h'), { name: 'mount.composefs', args: ['-h'] });
  assert.equal(request('/bin/cfsctl', 'mount', 'mkcomposefs'), undefined);
  assert.equal(request('/bin/cfsctl', '--user', 'mkcomposefs'), undefined);
  assert.equal(request('/bin/cfsctl'), undefined);
  assert.equal(request('/bin/cfsctl', 'toString'), undefined);
});

test('global options may come before a tool, and mean nothing to it', () => {
  assert.deepEqual(toolAfterGlobals(['--repo', 'mkcomposefs', '--insecure', 'composefs-info', '--help']), {
    name: 'composefs-info',
    args: ['--help'],
  });
  assert.deepEqual(toolAfterGlobals(['--repo=x', 'mkcomposefs']), { name: 'mkcomposefs', args: [] });
  assert.equal(toolAfterGlobals(['--user', 'mount.composefs']), undefined);
  assert.equal(toolAfterGlobals(['--bogus', 'mkcomposefs']), undefined);
  assert.equal(toolAfterGlobals(['--repo', 'mkcomposefs']), undefined);
  assert.equal(toolAfterGlobals(['images', 'mkcomposefs']), undefined);
  assert.equal(toolAfterGlobals([]), undefined);
});

test('a link to cfsctl of the name of a tool is that tool', () =>
  withTempDir((work) => {
    const link = join(work, 'mkcomposefs');
    symlinkSync(CFSCTL, link);
    const input = '/ 0 40755 2 0 0 0 0.0 - - -\n';
    const args = ['--print-digest-only', '--from-file', '-'];
    const { status, stdout } = spawnSync(process.execPath, [link, ...args], { input, encoding: 'utf8' });
    assert.equal(status, 0);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
    for (const words of [['mkcomposefs'], ['--insecure', '--repo', 'r', 'mkcomposefs']]) {
      assert.deepEqual(cfsctl([...words, ...args], { input }), { status: 0, stdout, stderr: '' });
    }
    assert.equal(cfsctl(['mkcomposefs']).status, 1);
  }));
