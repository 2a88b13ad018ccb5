import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { errorChain, errorCode } from '../../src/errors.js';
import { pull } from '../../src/oci/import/pull.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { tempDir, tempRepository } from '../composefs/repository/temp-repository.js';
import { buildImage, dataLayerTar, LayoutBuilder, type TestImage, zstdRawFrame } from '../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';

const TYPE = 'application/vnd.oci.image.layer.v1.tar';
const TAR = dataLayerTar(5000);

/** An image of one layer whose blob and media type are given. */
function imageOf(tar: Buffer, bytes: Buffer, mediaType: string): TestImage {
  const base = buildImage([tar], { compression: 'none' });
  const layer = { mediaType, digest: sha256ContentDigest(bytes), size: bytes.length };
  const edited = buildImage([tar], {
    compression: 'none',
    editManifest: (json) => Buffer.from(JSON.stringify({ ...JSON.parse(json.toString()), layers: [layer] })),
  });
  return { ...edited, config: base.config, layers: [{ bytes, descriptor: { ...layer } }] };
}

/** A gzip of `content` whose header holds other bytes. */
function gzipWithExtra(extra: Buffer, content: Buffer): Buffer {
  const header = Buffer.from('1f8b0804000000000003', 'hex');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(extra.length);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(content), 0);
  trailer.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, length, extra, deflateRawSync(content), trailer]);
}

test('how a layer is compressed is told by its content, whatever its media type says', async (context) => {
  const blobs = { none: TAR, gzip: gzipSync(TAR), zstd: zstdRawFrame(TAR) };
  const expected = new Set<string>();
  for (const suffix of ['', '+gzip', '+zstd']) {
    for (const [name, bytes] of Object.entries(blobs)) {
      const layout = join(tempDir(context), 'layout');
      new LayoutBuilder().addImage(imageOf(TAR, bytes, TYPE + suffix)).write(layout);
      const repo = await tempRepository(context);
      const { layers, images } = await pull(repo, `oci:${layout}`, 'a', { concurrency: 1 });
      assert.equal(layers[0]?.key, sha256ContentDigest(TAR), `${name} as ${suffix}`);
      expected.add(JSON.stringify(images));
    }
  }
  assert.equal(expected.size, 1);
});

test('formats that are not read are named', async (context) => {
  const blobs = {
    xz: Buffer.from('fd377a585a000004e6d6b446', 'hex'),
    bzip2: Buffer.from('425a6839314159265359aa', 'hex'),
  };
  for (const [name, bytes] of Object.entries(blobs)) {
    const layout = join(tempDir(context), 'layout');
    new LayoutBuilder().addImage(imageOf(TAR, bytes, `${TYPE}+gzip`)).write(layout);
    const repo = await tempRepository(context);
    await assert.rejects(pull(repo, `oci:${layout}`, 'a', { concurrency: 1 }), (error) => {
      assert.equal(errorCode(error), 'COMPRESSION_UNSUPPORTED');
      assert.equal(errorChain(error).at(-1), `${name} compression is not supported`);
      let hint: unknown;
      for (let at: unknown = error; at instanceof Error; at = at.cause) hint ??= Reflect.get(at, 'hint');
      assert.match(String(hint), /^Layers may be gzip or Zstandard/);
      return true;
    });
  }
});

test('a tar that looks compressed is what its diff_id says', async (context) => {
  const other = tarArchive([tarDirectory('usr/'), tarFile('usr/other', 'x')]);
  const both = gzipWithExtra(tarArchive([tarDirectory('usr/'), tarFile('usr/good', 'good')]), other);
  const plain = Buffer.concat([both, Buffer.alloc((512 - (both.length % 512)) % 512)]);
  for (const mediaType of [TYPE, `${TYPE}+gzip`]) {
    const layout = join(tempDir(context), 'layout');
    new LayoutBuilder().addImage(imageOf(other, both, mediaType)).write(layout);
    const repo = await tempRepository(context);
    const { layers } = await pull(repo, `oci:${layout}`, 'a', { concurrency: 1 });
    assert.equal(layers[0]?.key, sha256ContentDigest(other));
  }
  // The diff_id of the blob as it is: no gzip, and no tar either.
  const layout = join(tempDir(context), 'layout');
  new LayoutBuilder().addImage(imageOf(plain, plain, `${TYPE}+gzip`)).write(layout);
  const repo = await tempRepository(context);
  await assert.rejects(pull(repo, `oci:${layout}`, 'a', { concurrency: 1 }), { code: 'INVALID_TAR' });
});
