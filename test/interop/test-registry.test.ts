import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { RegistryAuth } from '../../src/testing/index.js';
import { TestRegistry } from '../../src/testing/index.js';
import { fxBoot, fxLarge, fxOci, LayoutBuilder } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { skopeo, withoutSkopeo } from '../support/skopeo.js';

const users = { ann: 'secret' };
const ways: readonly { readonly name: string; readonly auth: RegistryAuth; readonly options: readonly string[] }[] = [
  { name: 'no credentials', auth: { type: 'none' }, options: [] },
  { name: 'basic credentials', auth: { type: 'basic', users }, options: ['ann:secret'] },
  { name: 'bearer tokens', auth: { type: 'bearer', users }, options: ['ann:secret'] },
];

describe('skopeo and the test registry', { skip: withoutSkopeo }, () => {
  for (const { name, auth, options } of ways) {
    test(`skopeo pushes and pulls an image, with ${name}`, async () => {
      await withTempDir(async (path) => {
        await using registry = await TestRegistry.start({ auth });
        const layout = new LayoutBuilder().addImage(fxLarge(), { tag: 'a' }).write(join(path, 'in'));
        const reference = registry.reference('some/where/image', 'v1');
        const [creds] = options;
        const destination = ['--dest-tls-verify=false', ...(creds === undefined ? [] : ['--dest-creds', creds])];
        const source = ['--src-tls-verify=false', ...(creds === undefined ? [] : ['--src-creds', creds])];
        await skopeo('copy', '-q', ...destination, `oci:${layout}:a`, reference);
        await skopeo('copy', '-q', ...source, reference, `oci:${join(path, 'out')}:a`);
        for (const { digest } of [fxLarge().manifest.descriptor, fxLarge().config.descriptor]) {
          const hex = digest.slice('sha256:'.length);
          const copied = readFileSync(join(path, 'out', 'blobs', 'sha256', hex));
          assert.deepEqual(copied, readFileSync(join(layout, 'blobs', 'sha256', hex)));
        }
        const list = await skopeo(
          'list-tags',
          '--tls-verify=false',
          ...(creds === undefined ? [] : ['--creds', creds]),
          `docker://${registry.host}/some/where/image`,
        );
        assert.deepEqual(JSON.parse(list).Tags, ['v1']);
      });
    });
  }

  test('skopeo pulls a multi-platform image that was loaded from a layout, whole', async () => {
    await withTempDir(async (path) => {
      await using registry = await TestRegistry.start();
      const images = [fxOci({ architecture: 'arm64' }), fxBoot()];
      const layout = new LayoutBuilder().addIndex(images, { tag: 'multi' }).write(join(path, 'in'));
      registry.addLayout('x', layout);
      const out = join(path, 'out');
      await skopeo(
        'copy',
        '-q',
        '--all',
        '--src-tls-verify=false',
        registry.reference('x', 'multi'),
        `oci:${out}:multi`,
      );
      assert.equal(
        JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')).manifests[0].digest,
        JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests[0].digest,
      );
    });
  });

  test('skopeo converts to Docker schema 2 on the way', async () => {
    await withTempDir(async (path) => {
      await using registry = await TestRegistry.start();
      const layout = new LayoutBuilder().addImage(fxOci(), { tag: 'a' }).write(path);
      const reference = registry.reference('docker', 'v2');
      await skopeo('copy', '-q', '--dest-tls-verify=false', '--format=v2s2', `oci:${layout}:a`, reference);
      const response = await fetch(`${registry.origin}/v2/docker/manifests/v2`);
      assert.equal(response.headers.get('content-type'), 'application/vnd.docker.distribution.manifest.v2+json');
    });
  });
});
