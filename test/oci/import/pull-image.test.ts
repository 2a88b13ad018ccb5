import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pullImage } from '../../../src/oci/import/pull-image.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { fxOci } from '../../support/oci-fixtures.js';
import { layoutOf, PULL, tempRepository } from '../oci-support.js';

test('an image is pulled with the result that the crate has', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const image = fxOci();
  const [streams, stats] = await pullImage(repo, layoutOf(t, image), 'app', PULL);
  const { manifestDigest, manifestVerity, configDigest, configVerity } = OciImage.openRef(repo, 'app');
  assert.deepEqual(streams, { manifestDigest, manifestVerity, configDigest, configVerity });
  assert.equal(manifestDigest, image.manifest.descriptor.digest);
  const [, again] = await pullImage(repo, layoutOf(t, image), 'app', PULL);
  assert.ok(stats.bytesInlined > 0);
  assert.equal(again.bytesInlined, 0);
});
