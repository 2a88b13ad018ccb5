import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { parseOciDigest } from '../../../src/oci/model/digest.js';
import { findImageOfConfig } from '../../../src/oci/store/find-image-of-config.js';
import { configIdentifier } from '../../../src/oci/store/identifiers.js';
import { buildImage, dataLayerTar } from '../../support/oci-fixtures.js';
import { failsWith, storeTagged, tempRepository } from '../oci-support.js';

const TARS = [dataLayerTar(3000)];

test('an image is found by its config, trusted or not', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const { digest, configDigest } = await storeTagged(repo, TARS, buildImage(TARS), 'app');
  const configVerity = repo.hasStream(configIdentifier(configDigest));
  assert.ok(configVerity !== undefined);
  for (const options of [{}, { configVerity }]) {
    assert.equal((await findImageOfConfig(repo, configDigest, options)).manifestDigest, digest);
  }
});

test('a config that is not there, and a stream that it is not any more, are told apart', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const { configDigest } = await storeTagged(repo, TARS, buildImage(TARS), 'app');
  const nothing = parseOciDigest(`sha256:${'0'.repeat(64)}`);
  await assert.rejects(findImageOfConfig(repo, nothing), failsWith('ENOENT', `Opening the config ${nothing}`));
  const configVerity = parseObjectId('sha256', 'ab'.repeat(32));
  const now = repo.hasStream(configIdentifier(configDigest));
  await assert.rejects(findImageOfConfig(repo, configDigest, { configVerity }), {
    code: 'ENOENT',
    hint: `the stream of the config is ${now} now: it is another one whenever images are linked from it`,
  });
});
