import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { OCI_MANIFEST, SCHEMA1_HINT } from '../../../src/oci/model/media-types.js';
import { checkManifest } from '../../../src/oci/registry/manifest-response.js';
import { fxOci } from '../../support/oci-fixtures.js';

const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1';
const other = sha256ContentDigest(Buffer.from('other'));

test('an image manifest of version 1 is named as such, although its digest is of the unsigned payload', () => {
  const old = Buffer.from(JSON.stringify({ schemaVersion: 1, name: 'a', fsLayers: [], history: [], signatures: [] }));
  const expected = {
    code: 'UNEXPECTED_MEDIA_TYPE',
    message: 'The manifest of reg.example is a Docker image manifest of version 1',
    hint: SCHEMA1_HINT,
  };
  for (const type of [`${SCHEMA1}+prettyjws`, `${SCHEMA1}+json`, 'application/json', OCI_MANIFEST, undefined]) {
    const headers = { ...(type !== undefined && { 'content-type': type }), 'docker-content-digest': other };
    for (const wanted of [undefined, other, sha256ContentDigest(old)]) {
      assert.throws(() => checkManifest(old, headers, wanted, 'reg.example'), expected);
    }
  }
  const damaged = { 'content-type': `${SCHEMA1}+prettyjws; charset=utf-8` };
  assert.throws(() => checkManifest(Buffer.from('{'), damaged, undefined, 'reg.example'), expected);
});

test('other content than the digest names is a mismatch, whatever it is', () => {
  const { bytes } = fxOci().manifest;
  const headers = { 'content-type': OCI_MANIFEST };
  for (const raw of [bytes, Buffer.from('{'), Buffer.from('{"schemaVersion":2}')]) {
    assert.throws(() => checkManifest(raw, headers, other, 'reg.example'), { code: 'BLOB_DIGEST_MISMATCH' });
  }
  assert.equal(checkManifest(bytes, headers, sha256ContentDigest(bytes), 'reg.example').kind, 'manifest');
});
