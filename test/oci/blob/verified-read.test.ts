import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlobError } from '../../../src/oci/blob/blob-error.js';
import { readLocation } from '../../../src/oci/blob/blob-file.js';
import type { FileLocation } from '../../../src/oci/blob/blob-location.js';
import { BlobVerifier, readBlob } from '../../../src/oci/blob/verified-read.js';
import { type OciDigest, parseOciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { withTempDir } from '../../support/paths.js';

const data = Buffer.from('hello world');
const digest = sha256ContentDigest(data);

function verify(chunks: readonly Buffer[], size: number = data.length, expected: OciDigest = digest): void {
  const verifier = new BlobVerifier({ digest: expected, size });
  for (const chunk of chunks) verifier.update(chunk);
  verifier.finish();
}

test('a blob passes in whatever pieces it comes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: data.length }), { maxLength: 5 }), (cuts) => {
      const bounds = [0, ...cuts.sort((a, b) => a - b), data.length];
      verify(bounds.slice(1).map((end, i) => data.subarray(bounds[i], end)));
    }),
  );
});

test('a short, long or different blob fails, and the error names the digest', () => {
  const refused = (code: string, message: string, action: () => void): void => {
    assert.throws(action, (error) => {
      assert.ok(error instanceof BlobError);
      assert.deepEqual([error.code, error.message, error.digest], [code, message, digest]);
      return true;
    });
  };
  refused('BLOB_SIZE_MISMATCH', `Blob ${digest} ends after 10 of 11 bytes`, () => verify([data.subarray(1)]));
  refused('BLOB_SIZE_MISMATCH', `Blob ${digest} is longer than its size of 11 bytes`, () => {
    verify([data, Buffer.alloc(1)]);
  });
  const other = Buffer.from('hello_world');
  refused('BLOB_DIGEST_MISMATCH', `Blob digest mismatch: expected ${digest}, got ${sha256ContentDigest(other)}`, () => {
    verify([other]);
  });
});

test('the first byte too many is noticed at once', () => {
  const verifier = new BlobVerifier({ digest, size: 5 });
  verifier.update(data.subarray(0, 5));
  assert.throws(() => verifier.update(data.subarray(5, 6)), { code: 'BLOB_SIZE_MISMATCH' });
});

test('digests of the registered algorithms are checked, others refused', () => {
  for (const algorithm of ['sha384', 'sha512']) {
    const right = parseOciDigest(`${algorithm}:${createHash(algorithm).update(data).digest('hex')}`);
    verify([data], data.length, right);
    assert.throws(() => verify([Buffer.from('hello_world')], data.length, right), { code: 'BLOB_DIGEST_MISMATCH' });
  }
  assert.throws(() => verify([data], 11, parseOciDigest('md5:00')), {
    code: 'UNSUPPORTED_DIGEST',
    message: 'Cannot verify the digest md5:00',
  });
});

test('a part of a file is read exactly', () => {
  withTempDir((directory) => {
    const path = join(directory, 'file');
    writeFileSync(path, Buffer.concat([Buffer.from('<<'), data, Buffer.from('>>')]));
    const location: FileLocation = { kind: 'file', path, offset: 2, size: data.length };
    const descriptor = { mediaType: 'x', digest, size: data.length };
    assert.deepEqual(readBlob(location, descriptor), data);
    assert.deepEqual(
      [...readLocation(location, 4)].map((chunk) => chunk.toString()),
      ['hell', 'o wo', 'rld'],
    );
    assert.throws(() => readBlob(location, descriptor, 10), {
      code: 'BLOB_TOO_LARGE',
      message: `Blob ${digest} of 11 bytes exceeds the limit of 10 bytes`,
    });
    assert.throws(() => readBlob({ ...location, size: 12 }, descriptor), { code: 'BLOB_SIZE_MISMATCH' });
    assert.throws(() => readBlob({ ...location, size: 10 }, descriptor), { code: 'BLOB_SIZE_MISMATCH' });
    assert.throws(() => readBlob({ ...location, offset: 1 }, descriptor), { code: 'BLOB_DIGEST_MISMATCH' });
    assert.throws(() => readBlob({ ...location, offset: 9 }, descriptor), { code: 'BLOB_TRUNCATED' });
    symlinkSync(path, join(directory, 'link'));
    assert.throws(() => readBlob({ ...location, path: join(directory, 'link') }, descriptor), { code: 'ELOOP' });
    assert.throws(() => readBlob({ ...location, path: directory }, descriptor), { code: 'BLOB_NOT_A_FILE' });
  });
});
