import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pull } from '../../../src/oci/import/pull.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { tempDir, tempRepository } from '../../composefs/repository/temp-repository.js';
import { LayoutBuilder } from '../../support/oci-fixtures.js';
import { blobRequests, pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

test('an image from a registry is the same as from a layout', async (context) => {
  const image = sizedImage([300_000, 1000, 2_000_000]);
  const registry = await startRegistry(context);
  put(registry, 'my/image', image);
  const repo = await tempRepository(context);
  const pulled = await pull(repo, registry.reference('my/image'), 'a', pullOptions(context));

  const layout = join(tempDir(context), 'layout');
  new LayoutBuilder().addImage(image).write(layout);
  const other = await tempRepository(context);
  const fromLayout = await pull(other, `oci:${layout}`, 'a');
  assert.equal(pulled.manifestDigest, image.manifest.descriptor.digest);
  assert.equal(pulled.manifestVerity, fromLayout.manifestVerity);
  assert.equal(pulled.configVerity, fromLayout.configVerity);
  assert.deepEqual(pulled.stats, fromLayout.stats);
  assert.equal(
    pulled.transfer.fetchedBytes,
    image.layers.reduce((sum, layer) => sum + layer.bytes.length, 0),
  );
  assert.equal(OciImage.openRef(repo, 'a').manifestDigest, pulled.manifestDigest);
  assert.deepEqual(existsSync(join(repo.path, '.partial')) ? readdirSync(join(repo.path, '.partial')) : [], []);
});

test('what is stored is not fetched again', async (context) => {
  const image = sizedImage([300_000, 1000]);
  const registry = await startRegistry(context);
  put(registry, 'my/image', image);
  const repo = await tempRepository(context);
  const options = pullOptions(context);
  await pull(repo, registry.reference('my/image'), 'a', options);
  const before = blobRequests(registry).length;
  assert.equal(before, 3);
  const again = await pull(repo, registry.reference('my/image'), 'b', options);
  assert.equal(blobRequests(registry).length, before);
  assert.deepEqual(again.transfer, { fetchedBytes: 0, resumedBytes: 0 });
  assert.equal(again.stats.layersAlreadyPresent, 2);
});
