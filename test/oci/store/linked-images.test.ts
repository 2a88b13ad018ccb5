import assert from 'node:assert/strict';
import { closeSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { MNT_DETACH, umount2 } from '../../../src/linux/mount-api.js';
import { ensureComposefsErofs } from '../../../src/oci/import/upgrade.js';
import { createFilesystem } from '../../../src/oci/layer/filesystem.js';
import { writeConfigRaw } from '../../../src/oci/store/config-stream.js';
import { OciErofsNotFound } from '../../../src/oci/store/errors.js';
import { bootImageRefKey } from '../../../src/oci/store/identifiers.js';
import { OciImage } from '../../../src/oci/store/image.js';
import type { LinkedErofsImage } from '../../../src/oci/store/linked-images.js';
import { linkedErofsImages } from '../../../src/oci/store/lookup.js';
import { writeManifestRaw } from '../../../src/oci/store/manifest-stream.js';
import { reasonNotToMountImages } from '../../support/mounting.js';
import { buildImage, dataLayerTar } from '../../support/oci-fixtures.js';
import { assertSameTree } from '../../support/same-tree.js';
import { deleteObject, externalObject, storeContainer, tempDir, tempRepository } from '../oci-support.js';

const TARS = [dataLayerTar(10), dataLayerTar(3000)];
const IMAGE = buildImage(TARS);
const OTHER = buildImage(TARS, { config: { author: 'someone else' } });
const DIGEST = IMAGE.manifest.descriptor.digest;

/** Stored layers stand in for boot images: a named ref only names an object. */
async function withBootImages(t: TestContext): Promise<{ repo: Repository; linked: LinkedErofsImage[] }> {
  const repo = await tempRepository(t, { erofsFormats: { default: 1, extra: [2] }, insecure: true });
  const { layers, configDigest } = await storeContainer(repo, TARS, IMAGE);
  await ensureComposefsErofs(repo, DIGEST);
  const image = OciImage.open(repo, DIGEST);
  const [one, two] = layers;
  assert.ok(one !== undefined && two !== undefined);
  const boot: [string, ObjectId][] = [
    [bootImageRefKey(2, 'keep-user-xattrs'), image.configVerity],
    [bootImageRefKey(1, 'allowlist-only'), one],
    [bootImageRefKey(2, 'allowlist-only'), two],
  ];
  const [v1, v2] = [image.imageRef(1), image.imageRef(2)];
  assert.ok(v1 !== undefined && v2 !== undefined);
  const images = { image: v2, imageV1: v1, bootImages: new Map(boot) };
  const [, configVerity] = await writeConfigRaw(repo, IMAGE.config.bytes, image.layerRefs, images);
  const links = { configDigest, configVerity, layers: IMAGE.diffIds.map((id, i) => [id, layers[i] ?? one] as const) };
  await writeManifestRaw(repo, IMAGE.manifest.bytes, DIGEST, links);
  const linked: LinkedErofsImage[] = [
    { id: v2, bootable: false, version: 2, xattrMode: undefined },
    { id: v1, bootable: false, version: 1, xattrMode: undefined },
    { id: two, bootable: true, version: 2, xattrMode: 'allowlist-only' },
    { id: one, bootable: true, version: 1, xattrMode: 'allowlist-only' },
    { id: image.configVerity, bootable: true, version: 2, xattrMode: 'keep-user-xattrs' },
  ];
  return { repo, linked };
}

test('each EROFS image of an image leads to all of them, without a tag (spec 40 §16.9, 14)', async (t) => {
  const { repo, linked } = await withBootImages(t);
  await storeContainer(repo, TARS, OTHER);
  const image = OciImage.open(repo, DIGEST);
  assert.deepEqual(image.allErofsImages(), linked);
  for (const { id } of linked) {
    assert.equal(image.hasErofsId(id), true);
    assert.deepEqual(image.linkedErofsImages(id), linked);
    assert.deepEqual(await linkedErofsImages(repo, id), linked);
  }
  const unknown = image.manifestVerity;
  assert.equal(image.hasErofsId(unknown), false);
  assert.deepEqual(image.linkedErofsImages(unknown), []);
  await assert.rejects(linkedErofsImages(repo, unknown), {
    code: 'IMAGE_NOT_FOUND',
    message: `image not found: ${unknown}`,
  });
});

test('an image that cannot be opened is passed over', async (t) => {
  const { repo, linked } = await withBootImages(t);
  const other = await storeContainer(repo, TARS, OTHER);
  deleteObject(repo, externalObject(repo, other.manifestVerity));
  const [first] = linked;
  assert.ok(first !== undefined);
  assert.deepEqual(await linkedErofsImages(repo, first.id), linked);
});

test('a boot image of a mode that is not known counts as allowlist-only (spec 40 §14.2)', async (t) => {
  const repo = await tempRepository(t);
  const { layers, configDigest } = await storeContainer(repo, TARS, IMAGE);
  const [id] = layers;
  assert.ok(id !== undefined);
  const { layerRefs } = OciImage.open(repo, DIGEST);
  const keys = ['composefs.image.boot.v1.xattrs=all', 'composefs.image.boot.v2', 'composefs.image.bootable'];
  const bootImages = new Map(keys.map((key) => [key, id]));
  const [, configVerity] = await writeConfigRaw(repo, IMAGE.config.bytes, layerRefs, { bootImages });
  await writeManifestRaw(repo, IMAGE.manifest.bytes, DIGEST, { configDigest, configVerity, layers: [...layerRefs] });
  assert.deepEqual(
    OciImage.open(repo, DIGEST).allErofsImages(),
    [1, 2, 2].map((version) => ({ id, bootable: true, version, xattrMode: 'allowlist-only' })),
  );
});

test('the linked image of the repository gives its tree; one that is not linked is named', async (t) => {
  const { repo, linked } = await withBootImages(t);
  const image = OciImage.open(repo, DIGEST);
  assert.equal(image.erofsImageRef(repo, false), linked[1]?.id);
  assert.equal(image.erofsImageRef(repo, true), linked[3]?.id);
  assertSameTree(
    await image.readFilesystem(repo, false),
    await createFilesystem(repo, image.configDigest, { configVerity: image.configVerity }),
  );
  repo.setErofsVersion(2);
  assert.equal(image.erofsImageRef(repo, false), linked[0]?.id);
  assertSameTree(
    await image.readFilesystem(repo, false),
    await createFilesystem(repo, image.configDigest, { configVerity: image.configVerity }),
  );

  const bare = await storeContainer(repo, TARS, OTHER);
  const without = OciImage.open(repo, bare.digest);
  for (const [bootable, kind] of [
    [true, 'boot'],
    [false, 'composefs'],
  ] as const) {
    const expected = { code: 'OCI_EROFS_NOT_FOUND', message: `no ${kind} EROFS image linked for ${bare.digest}` };
    assert.throws(() => without.erofsImageRef(repo, bootable), expected);
    await assert.rejects(without.readFilesystem(repo, bootable), OciErofsNotFound);
    assert.throws(() => without.mount(repo, bootable), expected);
    assert.throws(() => without.mountAt(repo, bootable, '/nonexistent'), expected);
  }
});

test('an image is mounted, attached or not', { skip: reasonNotToMountImages() }, async (t) => {
  const { repo } = await withBootImages(t);
  const image = OciImage.open(repo, DIGEST);
  closeSync(image.mount(repo, false));
  const mountPoint = join(tempDir(t), 'mnt');
  mkdirSync(mountPoint);
  image.mountAt(repo, false, mountPoint);
  try {
    const content = readFileSync(join(mountPoint, 'usr/share/data_3000'));
    assert.deepEqual(content, Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 251)));
  } finally {
    umount2(mountPoint, MNT_DETACH);
  }
});
