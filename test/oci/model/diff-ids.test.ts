import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorChain } from '../../../src/errors.js';
import { extractDiffIds, extractLayerIds } from '../../../src/oci/model/diff-ids.js';
import { parseManifest } from '../../../src/oci/model/manifest.js';
import { DOCKER_IMAGE_CONFIG, OCI_EMPTY, OCI_IMAGE_CONFIG } from '../../../src/oci/model/media-types.js';
import { serialiseConfig } from '../../../src/oci/model/serialise.js';
import { errorOf } from '../../support/failures.js';
import { buildImage, dataLayerTar, spdxArtifact } from '../../support/oci-fixtures.js';

const tar = dataLayerTar(10);
const image = buildImage([tar, dataLayerTar(11), tar]);
const layers = parseManifest(image.manifest.bytes).value.layers;

function configWith(...diffIds: string[]): Buffer {
  return serialiseConfig({ architecture: 'a', os: 'o', rootfs: { type: 'layers', diff_ids: diffIds } });
}

test('the layers of an image are its diff_ids, in order and with duplicates', () => {
  assert.equal(image.diffIds.length, 3);
  assert.equal(image.diffIds[0], image.diffIds[2]);
  assert.deepEqual(extractDiffIds(OCI_IMAGE_CONFIG, image.config.bytes, layers), image.diffIds);
  assert.deepEqual(extractDiffIds(DOCKER_IMAGE_CONFIG, image.config.bytes, layers), image.diffIds);
  assert.deepEqual(extractLayerIds(image.manifest.bytes, image.config.bytes), image.diffIds);
});

test('the layers of an artifact are the digests of its manifest', () => {
  const artifact = spdxArtifact();
  const digests = ['sha256:60c3ef42d548f485cf48b3050b24fe43ca2fb9c872b422e8737393545a9b6008'];
  assert.deepEqual(extractLayerIds(artifact.manifest.bytes, Buffer.from('no JSON')), digests);
  const blobs = layers.map((layer) => layer.digest);
  assert.deepEqual(extractDiffIds(OCI_EMPTY, Buffer.alloc(0), layers), blobs);
});

test('errors say which document they are about', () => {
  const chain = (action: () => unknown): string[] => errorChain(errorOf(action));
  assert.deepEqual(
    chain(() => extractDiffIds(OCI_IMAGE_CONFIG, configWith('sha256:abc123def456'), [])),
    ['parsing diff_id from image config', 'Invalid digest length 12 expected 64'],
  );
  assert.deepEqual(
    chain(() => extractDiffIds(OCI_IMAGE_CONFIG, Buffer.from('{}'), [])),
    ["Invalid image configuration: missing field 'rootfs'"],
  );
  assert.deepEqual(
    chain(() => extractLayerIds(Buffer.from('{}'), configWith())),
    ['parsing manifest JSON', "Invalid image manifest: missing field 'schemaVersion'"],
  );
});
