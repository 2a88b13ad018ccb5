import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Repository } from '../../src/composefs/repository/index.js';
import { pull } from '../../src/oci/import/pull.js';
import { layerTar } from '../../src/oci/layer/inspect-layer.js';
import type { OciDigest } from '../../src/oci/model/digest.js';
import { OCI_IMAGE_CONFIG } from '../../src/oci/model/media-types.js';
import { writeConfigStream } from '../../src/oci/store/config-stream.js';
import { OciImage } from '../../src/oci/store/image.js';
import { untagImage } from '../../src/oci/store/tags.js';
import { blob, buildArtifact, buildImage, type TestImage } from '../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { isSound, layoutOf, PULL, tempRepository } from './oci-support.js';

/** Several manifests with one config: the same image compressed in several ways, or in a mirror with annotations. */

const TAR = tarArchive([tarDirectory('usr'), tarFile('usr/big', Buffer.alloc(3000, 'a'))]);
const PLAIN = buildImage([TAR], { compression: 'none' });
const GZIP = buildImage([TAR], { compression: 'gzip' });
const ZSTD = buildImage([TAR], { compression: 'zstd' });

const gc = (repo: Repository): Promise<unknown> => repo.gc({ threads: 0 });

/** Opens everything of a tagged image that a mount needs, and reads its layers. */
async function use(repo: Repository, tag: string, version: 1 | 2): Promise<void> {
  const image = OciImage.openRef(repo, tag);
  const id = image.imageRef(version);
  assert.ok(id !== undefined, `${tag} has an image of version ${version}`);
  closeSync(repo.openImage(id).fd);
  for (const object of await repo.objectsForImage(id)) assert.ok(repo.objects.isIntact(object));
  for (const diffId of image.layerDiffIds()) {
    assert.deepEqual(await buffer(layerTar(repo, diffId as OciDigest)), TAR);
  }
  assert.equal(image.configVerity, repo.hasStream(`oci-config-${image.configDigest}`));
}

test('manifests with one config keep their images, whichever is pulled, untagged and collected', async (t) => {
  const images: readonly (readonly [tag: string, image: TestImage, version: 1 | 2])[] = [
    ['plain', PLAIN, 1],
    ['gzip', GZIP, 2],
    ['zstd', ZSTD, 1],
  ];
  const repo = await tempRepository(t);
  assert.equal(PLAIN.config.descriptor.digest, GZIP.config.descriptor.digest);
  for (const [tag, image, version] of images) {
    repo.setErofsVersion(version);
    const { images: linked } = await pull(repo, layoutOf(t, image), tag, PULL);
    // The first image has no company yet.
    assert.deepEqual(
      linked.map((each) => each.version),
      tag === 'plain' ? [1] : [1, 2],
    );
    await gc(repo);
    assert.ok(await isSound(repo));
    await use(repo, 'plain', 1);
  }
  for (const [tag] of images) for (const version of [1, 2] as const) await use(repo, tag, version);
  await untagImage(repo, 'gzip');
  await gc(repo);
  await use(repo, 'plain', 1);
  await use(repo, 'zstd', 1);
  await untagImage(repo, 'plain');
  await gc(repo);
  await use(repo, 'zstd', 2);
  assert.ok(await isSound(repo));
  await untagImage(repo, 'zstd');
  await gc(repo);
  assert.deepEqual(await repo.gc({ dryRun: true, threads: 0 }), {
    objectsRemoved: 0,
    objectsBytes: 0,
    imagesPruned: 0,
    streamsPruned: 0,
  });
});

test('both pulled with one version, one again with another', async (t) => {
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, PLAIN), 'a', PULL);
  await pull(repo, layoutOf(t, GZIP), 'b', PULL);
  repo.setErofsVersion(2);
  await pull(repo, layoutOf(t, GZIP), 'b', PULL);
  await gc(repo);
  await use(repo, 'a', 1);
  await use(repo, 'b', 2);
  await untagImage(repo, 'b');
  await gc(repo);
  await use(repo, 'a', 1);
  // Alone it has the images of the repository's formats, as in the reference.
  assert.deepEqual(
    (await pull(repo, layoutOf(t, PLAIN), 'a', PULL)).images.map(({ version }) => version),
    [2],
  );
  assert.ok(await isSound(repo));
});

test('an artifact keeps its config when an image of that config is pulled', async (t) => {
  const repo = await tempRepository(t);
  const config = blob('application/vnd.example.config', PLAIN.config.bytes);
  assert.notEqual(config.descriptor.mediaType, OCI_IMAGE_CONFIG);
  const artifact = buildArtifact([blob('text/plain', Buffer.alloc(200, 'x'))], config);
  await pull(repo, layoutOf(t, artifact), 'artifact', PULL);
  await pull(repo, layoutOf(t, PLAIN), 'image', PULL);
  await gc(repo);
  assert.ok(await isSound(repo));
  await untagImage(repo, 'image');
  await gc(repo);
  const image = OciImage.openRef(repo, 'artifact');
  assert.deepEqual(image.readConfigJson(repo), PLAIN.config.bytes);
  closeSync(image.openLayerFd(repo, 0));
  assert.ok(await isSound(repo));
});

test('a manifest whose config stream lost its name is kept whole, and mended by the next pull', async (t) => {
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, PLAIN), 'tag', PULL);
  const { configDigest } = OciImage.openRef(repo, 'tag');
  // What another program does that gives the config a stream of its own.
  await writeConfigStream(repo, PLAIN.config.bytes, [...OciImage.openRef(repo, 'tag').layerRefs].reverse());
  await gc(repo);
  const image = OciImage.openRef(repo, 'tag');
  assert.ok(image.imageRef(1) !== undefined);
  closeSync(repo.openImage(image.imageRef(1) ?? '').fd);
  await pull(repo, layoutOf(t, PLAIN), 'tag', PULL);
  assert.equal(OciImage.openRef(repo, 'tag').configVerity, repo.hasStream(`oci-config-${configDigest}`));
  await use(repo, 'tag', 1);
  assert.ok(await isSound(repo));
});
