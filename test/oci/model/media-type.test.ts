import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDockerTarMediaType, isTarMediaType, requireTarMediaType } from '../../../src/oci/model/media-types.js';

test('the six layer types of OCI', () => {
  for (const kind of ['layer', 'layer.nondistributable']) {
    for (const suffix of ['', '+gzip', '+zstd']) {
      const mediaType = `application/vnd.oci.image.${kind}.v1.tar${suffix}`;
      assert(isTarMediaType(mediaType));
      assert(!isDockerTarMediaType(mediaType));
      requireTarMediaType(mediaType);
    }
  }
});

test('the layer types of Docker', () => {
  for (const kind of ['diff', 'foreign.diff']) {
    for (const suffix of ['', '.gzip', '.zstd']) {
      const mediaType = `application/vnd.docker.image.rootfs.${kind}.tar${suffix}`;
      assert(!isTarMediaType(mediaType));
      assert(isDockerTarMediaType(mediaType));
      requireTarMediaType(mediaType);
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
    assert.throws(() => requireTarMediaType(mediaType), {
      message: `Unsupported layer media type for decompression: ${mediaType}`,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
  }
});
