import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TestRegistry } from '../../../src/testing/index.js';
import { runCfsctl } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { fxOci, LayoutBuilder } from '../../support/oci-fixtures.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

test('oci push says what it sent, and where', async () => {
  await using registry = await TestRegistry.start();
  const image = fxOci({ compression: 'none' });
  const repository = fixtures.repo();
  const layout = new LayoutBuilder().addImage(image).write(fixtures.path('layout'));
  repository.ok('oci', 'pull', `oci:${layout}`, 'app');
  const target = `docker://${registry.host}/team/app:1`;
  const run = (...args: readonly string[]): ReturnType<typeof runCfsctl> =>
    runCfsctl(['--insecure', '--repo', repository.path, 'oci', 'push', '--tls-verify=false', ...args]);
  const { digest } = image.manifest.descriptor;
  assert.deepEqual(await run('app', target), {
    status: 0,
    stdout:
      `manifest ${digest}\nconfig   ${image.config.descriptor.digest}\n` +
      `blobs    2 uploaded, 0 mounted, 0 there already\npushed   ${registry.host}/team/app:1\n`,
    stderr: '',
  });
  assert.deepEqual(await run('-q', 'app', target), { status: 0, stdout: `${digest}\n`, stderr: '' });
  const json = JSON.parse((await run('--json', '--dry-run', 'app', target)).stdout);
  assert.deepEqual(json, {
    manifest_digest: digest,
    config_digest: image.config.descriptor.digest,
    pulled_digest: digest,
    reference: `${registry.host}/team/app:1`,
    blobs: [],
    referrers: [],
  });
});

test('oci push: wrong usage', () => {
  const repository = fixtures.pulled();
  const { status, stderr } = repository.run('oci', 'push', 'test-image', 'oci:x');
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^error: invalid value 'oci:x' for '<TARGET>': 'oci:x' is no image in a registry\n\n {2}tip: An image is pushed to docker:\/\/HOST/,
  );
});
