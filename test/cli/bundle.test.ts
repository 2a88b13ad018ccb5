import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { fxOci } from '../support/oci-fixtures.js';

const BUNDLE = fileURLToPath(new URL('../../bin/cfsctl.js', import.meta.url));
const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

test('the bundled command starts its threads: pull, fsck, gc', (context) => {
  if (!existsSync(BUNDLE)) return context.skip('dist/bin is made by npm run build');
  const repo = fixtures.path('bundled');
  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BUNDLE, '--repo', repo, ...args], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  run('init', '--insecure');
  const pulled = run('oci', 'pull', `oci:${fixtures.oci()}`, 'test-image', '--quiet');
  assert.equal(pulled, `${fxOci().manifest.descriptor.digest}\n`);
  assert.match(run('fsck'), /\nstatus: ok\n$/);
  assert.equal(run('gc', '--dry-run').split('\n')[1], 'Objects: 2 removed (766 bytes)');
});
