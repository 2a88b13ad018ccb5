import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDockerTarMediaType, isTarMediaType, layerCompression } from '../../../src/oci/layer/media-type.js';

const COMPRESSIONS: [suffix: string, compression: string][] = [
  ['', 'none'],
  ['+gzip', 'gzip'],
  ['+zstd', 'zstd'],
];

test('the six layer types of OCI', () => {
  for (const kind of ['layer', 'layer.nondistributable']) {
    for (const [suffix, compression] of COMPRESSIONS) {
      const mediaType = `application/vnd.oci.image.${kind}.v1.tar${suffix}`;
      assert(isTarMediaType(mediaType));
      assert(!isDockerTarMediaType(mediaType));
      assert.equal(layerCompression(mediaType), compression);
    }
  }
});

test('the layer types of Docker, whose compression their content tells', () => {
  for (const kind of ['diff', 'foreign.diff']) {
    for (const suffix of ['', '.gzip', '.zstd']) {
      const mediaType = `application/vnd.docker.image.rootfs.${kind}.tar${suffix}`;
      assert(!isTarMediaType(mediaType));
      assert(isDockerTarMediaType(mediaType));
      assert.equal(layerCompression(mediaType), 'by-content');
    }
  }
});

test('nothing else', () => {
  for (const mediaType of [
    '',
    'text/spdx+json',
    'application/vnd.oci.image.layer.v1.tar+bzip2',
    'application/vnd.oci.image.layer.v1.tar+GZIP',
    'application/vnd.oci.image.layer.v1.tar+gzip ',
    'application/vnd.oci.image.layer.v1.tar+gzip; charset=utf-8',
    'application/vnd.docker.image.rootfs.diff.tar+gzip',
    'application/vnd.oci.image.config.v1+json',
  ]) {
    assert(!isTarMediaType(mediaType) && !isDockerTarMediaType(mediaType));
    assert.throws(() => layerCompression(mediaType), {
      message: `Unsupported layer media type for decompression: ${mediaType}`,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
  }
});
