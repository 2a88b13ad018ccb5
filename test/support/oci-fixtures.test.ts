import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ZstdDecoder } from '../../src/compression/zstd/decode.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { baseImageLayers } from './base-image.js';
import {
  buildBaseImage,
  compress,
  dataLayerTar,
  fxOci,
  fxTwo,
  singleLayerImage,
  spdxArtifact,
  type TestImage,
  twoLayerImage,
  zstdFrames,
} from './oci-fixtures.js';

function unzstd(data: Buffer): Buffer {
  const decoder = new ZstdDecoder();
  const decoded = Buffer.concat([...decoder.push(data)]);
  decoder.finish();
  return decoded;
}

/** Digest and size of config and manifest. */
function identity({ config, manifest }: TestImage): unknown[] {
  return [config, manifest].flatMap(({ descriptor }) => [descriptor.digest, descriptor.size]);
}

test('the images of the specification have their digests', () => {
  assert.deepEqual(identity(singleLayerImage()), [
    'sha256:d59e0c29661671f347f754bd5ea8c1a55ca5d7c372b06c90d5c27bc059749ce4',
    163,
    'sha256:126a94aff4705c09719ac833d349591cec59cb2ea0b00eaf846a6c786d22daf2',
    399,
  ]);
  assert.deepEqual(identity(twoLayerImage()), [
    'sha256:57989acc0b64d8cc9d156da31c3f6978aad099560df0d98980e18d5117fea3ec',
    237,
    'sha256:fd5ece0a592cc27366670e921226aa6663c25f11aa08a1080dd6b63eb332a527',
    551,
  ]);
  assert.deepEqual(identity(buildBaseImage(baseImageLayers().map((layer) => layer.tar))), [
    'sha256:96dfae1f4f05b94db0ada7f47cbb6bd535dc4f651726301325e21f643e5afe29',
    459,
    'sha256:c5729985b6f34214b4eeefce83de4916239a0e6cc9f2ae715cef46246095b131',
    1022,
  ]);
  assert.deepEqual(identity(spdxArtifact()), [
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    2,
    'sha256:a7f0b8f795d48adcf0ddb58143d52fd8f612a38b903665d32b241b1230633987',
    362,
  ]);
  assert.equal(fxTwo().layers.length, 2);
});

test('the layers of an image hold its tars, however compressed', () => {
  const tar = dataLayerTar(300_000);
  assert.deepEqual(gunzipSync(compress(tar, 'gzip')), tar);
  assert.deepEqual(unzstd(compress(tar, 'zstd')), tar);
  assert.deepEqual(unzstd(compress(Buffer.alloc(0), 'zstd')), Buffer.alloc(0));
  assert.deepEqual(unzstd(zstdFrames(tar, tar)), Buffer.concat([tar, tar]));
  const image = fxOci();
  assert.equal(sha256ContentDigest(gunzipSync(image.layers[0]?.bytes ?? Buffer.alloc(0))), image.diffIds[0]);
  assert.equal(gunzipSync(image.layers[0]?.bytes ?? Buffer.alloc(0)).length, 3072);
});
