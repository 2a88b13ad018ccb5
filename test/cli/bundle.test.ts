import assert from 'node:assert/strict';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cfsctl } from '../support/cfsctl.js';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { fxOci } from '../support/oci-fixtures.js';
import { commandPath, packageRoot } from '../support/paths.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

test('every command of the package is bundled, and can be started by its name', () => {
  const { bin } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const path of Object.values(bin)) {
    assert.match(readFileSync(join(packageRoot, path), 'utf8'), /^#!\/usr\/bin\/env node\n/, path);
    accessSync(join(packageRoot, path), constants.X_OK);
  }
  assert.equal(Object.keys(bin).length, 8);
});

test('the bundled command starts its threads: pull, fsck, gc', () => {
  const repo = fixtures.path('bundled');
  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = cfsctl(['--repo', repo, ...args]);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  run('init', '--insecure');
  const pulled = run('oci', 'pull', `oci:${fixtures.oci()}`, 'test-image', '--quiet');
  assert.equal(pulled, `${fxOci().manifest.descriptor.digest}\n`);
  assert.match(run('fsck'), /\nstatus: ok\n$/);
  assert.equal(run('gc', '--dry-run').split('\n')[1], 'Objects: 0 removed (0 bytes)');
});

test('what goes into an initramfs is one file, which needs nothing but Node.js and koffi', () => {
  const code = readFileSync(commandPath('composefs-setup-root'), 'utf8');
  const required = [...code.matchAll(/\brequire\('([^']+)'\)|\bimport\(['"]?([^'")]+)/g)].map(
    ([, a, b]) => a ?? b ?? '',
  );
  assert(required.includes('node:fs'));
  assert.deepEqual(
    required.filter((name) => !name.startsWith('node:')),
    [],
  );
});
