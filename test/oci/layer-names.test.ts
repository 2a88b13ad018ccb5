import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Repository } from '../../src/composefs/repository/index.js';
import { isOciFsckOk, ociFsck } from '../../src/oci/fsck/fsck.js';
import { importLayer } from '../../src/oci/import/layer/import-layer.js';
import { storeBlob, storeTar } from '../../src/oci/import/layer/store-tar.js';
import { pull } from '../../src/oci/import/pull.js';
import { layerTar } from '../../src/oci/layer/inspect-layer.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { writeConfigStream } from '../../src/oci/store/config-stream.js';
import { LAYER_CONTENT_TYPE, layerContentId } from '../../src/oci/store/identifiers.js';
import { OciImage } from '../../src/oci/store/image.js';
import { writeManifestRaw } from '../../src/oci/store/manifest-stream.js';
import { untagImage } from '../../src/oci/store/tags.js';
import { blob, buildArtifact, buildImage, LAYER_TYPE, type TestImage } from '../support/oci-fixtures.js';
import { fixChecksum, TAR_BLOCK, tarArchive, tarDirectory, tarFile, tarHeader } from '../support/tar-builder.js';
import { chunksOf, failsWith, isSound, layoutOf, PULL, tempRepository } from './oci-support.js';

/** `oci-layer-<digest>` is a tar of that digest, whatever was pulled before and as what. */

const usr = tarDirectory('usr');
const TAR = tarArchive([usr, tarFile('usr/file', 'good '.repeat(200))]);
const EVIL = tarArchive([usr, tarFile('usr/file', 'evil '.repeat(200))]);

/** A tar that is at the same time a gzip of another tar: all of it is in the extra field of the gzip header. */
function polyglot(tar: Buffer, unpacked: Buffer): Buffer {
  const first = tarHeader({ name: Buffer.from('1f8b0804', 'hex') });
  const whole = Buffer.concat([first, tar]);
  whole.writeUInt16LE(whole.length - 12, 10);
  fixChecksum(whole.subarray(0, TAR_BLOCK));
  // The deflated data and the trailer, without the ten bytes of the header.
  return Buffer.concat([whole, gzipSync(unpacked).subarray(10)]);
}

const POLYGLOT = polyglot(TAR, EVIL);
const DIGEST = sha256ContentDigest(POLYGLOT);
const IMAGE = buildImage([POLYGLOT], { compression: 'none' });
const TAR_IMAGE = buildImage([TAR], { compression: 'none' });
const ARTIFACTS: Readonly<Record<string, TestImage>> = {
  'a compressed tar': buildArtifact([blob(`${LAYER_TYPE}+gzip`, POLYGLOT)]),
  'a tar': buildArtifact([blob(LAYER_TYPE, POLYGLOT)]),
  'a blob': buildArtifact([blob('application/octet-stream', POLYGLOT)]),
  // The config of the image, so that its stream names the layer by the same digest.
  'a compressed tar with the config of the image': buildArtifact(
    [blob(`${LAYER_TYPE}+gzip`, POLYGLOT)],
    blob('application/vnd.example', IMAGE.config.bytes),
  ),
};

async function pullInto(
  repo: Repository,
  t: Parameters<typeof layoutOf>[0],
  image: TestImage,
  tag: string,
): Promise<void> {
  await pull(repo, layoutOf(t, image), tag, PULL);
}

for (const [what, artifact] of Object.entries(ARTIFACTS)) {
  test(`an image gets its own layer after an artifact of ${what}, and the artifact keeps its own`, async (t) => {
    const alone = await tempRepository(t);
    await pullInto(alone, t, IMAGE, 'image');
    const expected = OciImage.openRef(alone, 'image').imageRef(1);
    assert.deepEqual(await buffer(layerTar(alone, DIGEST)), POLYGLOT);

    for (const order of [
      ['artifact', 'image'],
      ['image', 'artifact'],
      ['artifact', 'image', 'artifact', 'image'],
    ]) {
      const repo = await tempRepository(t);
      for (const tag of order) await pullInto(repo, t, tag === 'image' ? IMAGE : artifact, tag);
      assert.equal(OciImage.openRef(repo, 'image').imageRef(1), expected);
      assert.deepEqual(await buffer(layerTar(repo, DIGEST)), POLYGLOT);
      const before = OciImage.openRef(repo, 'artifact').layerRefs;
      await repo.gc({ threads: 0 });
      assert.ok(await isSound(repo));
      await untagImage(repo, 'image');
      await repo.gc({ threads: 0 });
      assert.ok(await isSound(repo));
      assert.deepEqual(OciImage.openRef(repo, 'artifact').layerRefs, before);
      for (const id of before.values()) assert.ok(repo.objects.isIntact(id));
    }
  });
}

test('a blob with the digest of a tar does not stand in the way of the tar', async (t) => {
  const repo = await tempRepository(t);
  const artifact = buildArtifact([blob('application/octet-stream', TAR)]);
  const digest = sha256ContentDigest(TAR);
  await pullInto(repo, t, artifact, 'artifact');
  const blobStream = repo.hasStream(layerContentId(digest));
  await pullInto(repo, t, TAR_IMAGE, 'image');
  assert.equal(repo.hasStream(`oci-blob-${digest}`), blobStream);
  assert.deepEqual(await buffer(layerTar(repo, digest)), TAR);
  const { layers } = await pull(repo, layoutOf(t, artifact), 'artifact', PULL);
  assert.deepEqual(
    layers.map(({ wasPresent }) => wasPresent),
    [true],
  );
  assert.ok(await isSound(repo));
});

test('what another program has put under the name of a layer is not taken for it', async (t) => {
  const repo = await tempRepository(t);
  const digest = sha256ContentDigest(TAR);
  const evil = await storeTar(repo.objects, undefined, chunksOf(EVIL));
  const foreign = [evil.id, (await storeBlob(repo.objects, chunksOf(TAR))).id];
  for (const id of foreign) {
    await repo.registerStream(id, layerContentId(digest));
    await importLayer(repo, digest, undefined, chunksOf(TAR));
    assert.deepEqual(await buffer(layerTar(repo, digest)), TAR);
    await repo.registerStream(id, layerContentId(digest));
    await pullInto(repo, t, TAR_IMAGE, 'image');
    assert.deepEqual(await buffer(layerTar(repo, digest)), TAR);
    assert.ok(await isSound(repo));
  }
  // What was displaced has the name of what it is.
  assert.equal(repo.hasStream(layerContentId(sha256ContentDigest(EVIL))), evil.id);
  assert.equal(repo.hasStream(`oci-blob-${digest}`), foreign[1]);
});

test('a layer that is not that of its name is found, and fails at its end when it is read', async (t) => {
  const repo = await tempRepository(t);
  const digest = sha256ContentDigest(TAR);
  await pullInto(repo, t, TAR_IMAGE, 'image');
  const evil = await storeTar(repo.objects, undefined, chunksOf(EVIL));
  await repo.registerStream(evil.id, layerContentId(digest));
  const detail = `Layer has incorrect checksum: expected ${digest}, its content is ${sha256ContentDigest(EVIL)}`;
  const wrongName = { type: 'stream-digest-mismatch', name: layerContentId(digest), detail };
  for (const threads of [0, 2]) assert.deepEqual((await ociFsck(repo, { threads })).errors, [wrongName]);
  const pieces: Buffer[] = [];
  await assert.rejects(
    async () => {
      for await (const piece of layerTar(repo, digest)) pieces.push(piece);
    },
    failsWith('DIGEST_MISMATCH', detail),
  );
  assert.deepEqual(Buffer.concat(pieces), EVIL);

  // An image that uses it, as a reader that takes diff_ids on trust stores it.
  const config = IMAGE.config.bytes.toString().replace(DIGEST, digest);
  const { configDigest } = OciImage.openRef(repo, 'image');
  const [, configVerity] = await writeConfigStream(repo, TAR_IMAGE.config.bytes, [[digest, evil.id]]);
  const links = { configDigest, configVerity, layers: [[digest, evil.id]] as const };
  await writeManifestRaw(repo, TAR_IMAGE.manifest.bytes, TAR_IMAGE.manifest.descriptor.digest, links);
  assert.equal(config, TAR_IMAGE.config.bytes.toString());
  const result = await ociFsck(repo, { threads: 0 });
  assert.deepEqual(result.errors, [{ type: 'layer-digest-mismatch', name: 'image', diffId: digest, detail }]);
  assert.deepEqual([result.imagesChecked, result.imagesCorrupted], [1, 1]);
});

test('an unpacked tar under the name of its blob, as the reference stores it, is no finding', async (t) => {
  const repo = await tempRepository(t);
  const artifact = buildArtifact([blob(`${LAYER_TYPE}+gzip`, gzipSync(TAR))]);
  const [layer] = artifact.layers;
  assert.ok(layer !== undefined);
  await pullInto(repo, t, artifact, 'artifact');
  const id = OciImage.openRef(repo, 'artifact').layerVerity(layer.descriptor.digest);
  assert.ok(id !== undefined);
  assert.equal(repo.hasStream(layerContentId(sha256ContentDigest(TAR))), id);
  assert.equal(repo.openStream('', { id: id }).contentType, LAYER_CONTENT_TYPE);
  await repo.registerStream(id, layerContentId(layer.descriptor.digest));
  assert.ok(isOciFsckOk(await ociFsck(repo, { threads: 0 })));
  const again = await pull(repo, layoutOf(t, artifact), 'artifact', PULL);
  assert.deepEqual(
    again.layers.map(({ wasPresent }) => wasPresent),
    [true],
  );
});
