import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { errorCode } from '../../../src/errors.js';
import { checkManifest } from '../../../src/oci/registry/manifest-response.js';
import { sizedImage } from './registry-support.js';

const { bytes, descriptor } = sizedImage([10]).manifest;
const { digest, mediaType } = descriptor;
const hex = digest.slice('sha256:'.length);
const zeros = `sha256:${'0'.repeat(64)}`;

for (const [header, byTag] of [
  [undefined, 'ok'],
  ['', 'ok'],
  [digest, 'ok'],
  [` ${digest} `, 'ok'],
  [`${digest}, ${digest}`, 'ok'],
  [`"${digest}"`, 'ok'],
  [digest.toUpperCase(), 'ok'],
  [`sha256:${hex.toUpperCase()}`, 'ok'],
  ['sha256:abc', 'ok'],
  [hex, 'ok'],
  [`${digest};`, 'ok'],
  [`${digest}, ${zeros}`, 'ok'],
  ['md5:d41d8cd98f00b204e9800998ecf8427e', 'ok'],
  [`sha512:${createHash('sha512').update(bytes).digest('hex')}`, 'ok'],
  [zeros, 'BLOB_DIGEST_MISMATCH'],
  [`${zeros}, ${zeros}`, 'BLOB_DIGEST_MISMATCH'],
  [`sha512:${'0'.repeat(128)}`, 'BLOB_DIGEST_MISMATCH'],
] as const) {
  test(`Docker-Content-Digest: ${header}`, () => {
    const headers = { 'content-type': mediaType, ...(header !== undefined && { 'docker-content-digest': header }) };
    const outcome = (wanted?: typeof digest): string => {
      try {
        assert.deepEqual(checkManifest(bytes, headers, wanted, 'reg.example').raw, bytes);
        return 'ok';
      } catch (error) {
        return errorCode(error);
      }
    };
    assert.equal(outcome(), byTag);
    // The bytes are those that were asked for: what the header says does not matter.
    assert.equal(outcome(digest), 'ok');
  });
}
