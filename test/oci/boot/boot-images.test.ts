import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { transformForBoot } from '../../../src/boot/transform.js';
import type { FormatConfig } from '../../../src/composefs/erofs/index.js';
import type { HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { computeImageId, type Repository } from '../../../src/composefs/repository/index.js';
import { errorChain } from '../../../src/errors.js';
import {
  bootImage,
  bootImageForMode,
  findMatchingBootImage,
  generateBootImage,
  removeBootImage,
} from '../../../src/oci/boot/boot-images.js';
import { pull } from '../../../src/oci/import/pull.js';
import { createFilesystem } from '../../../src/oci/layer/filesystem.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { linkedErofsImages } from '../../../src/oci/store/lookup.js';
import { tagImage, untagImage } from '../../../src/oci/store/tags.js';
import type { XattrFiltering } from '../../../src/oci/tree/transform.js';
import { bootableImage } from '../../support/boot-images.js';
import { buildImage, spdxArtifact } from '../../support/oci-fixtures.js';
import { paxHeader, tarArchive, tarDirectory } from '../../support/tar-builder.js';
import { isSound, layoutOf, PULL, replaceObject, storeArtifact, tempRepository } from '../oci-support.js';

const IMAGE = bootableImage({ policy: true });
const DIGEST = IMAGE.manifest.descriptor.digest;

async function withPulled(
  t: TestContext,
  algorithm: HashAlgorithm = 'sha256',
  erofsFormats: FormatConfig = { default: 1, extra: [] },
  image = IMAGE,
): Promise<Repository> {
  const repo = await tempRepository(t, { algorithm, erofsFormats, insecure: true });
  await pull(repo, layoutOf(t, image), 'tag', PULL);
  return repo;
}

/** The id that the boot image of a stored image must have, made step by step. */
async function expectedId(
  repo: Repository,
  digest: OciDigest,
  version: 1 | 2,
  xattrs: XattrFiltering,
): Promise<ObjectId> {
  const { configDigest, configVerity } = OciImage.open(repo, digest);
  const root = await createFilesystem(repo, configDigest, { configVerity, xattrs });
  transformForBoot(root, repo.objects);
  return await computeImageId(root, version, repo.algorithm);
}

for (const algorithm of ['sha256', 'sha512'] as const) {
  for (const version of [1, 2] as const) {
    test(`boot images of both modes, ${algorithm}, V${version} (spec 40 §6.3)`, async (t) => {
      const repo = await withPulled(t, algorithm, { default: version, extra: [] });
      const plain = OciImage.open(repo, DIGEST).imageRef(version);
      assert.equal(bootImage(repo, DIGEST), undefined);
      const ids = new Map<XattrFiltering, ObjectId>();
      for (const xattrs of ['allowlist-only', 'keep-user-xattrs'] as const) {
        assert.equal(bootImageForMode(repo, DIGEST, xattrs), undefined);
        const id = await generateBootImage(repo, DIGEST, { xattrs });
        assert.equal(id, await expectedId(repo, DIGEST, version, xattrs));
        assert.equal(bootImageForMode(repo, DIGEST, xattrs), id);
        assert.equal(repo.hasImage(id), true);
        assert.deepEqual(await linkedErofsImages(repo, id), OciImage.open(repo, DIGEST).allErofsImages());
        ids.set(xattrs, id);
      }
      assert.equal(new Set([...ids.values(), plain]).size, 3);
      assert.equal(bootImage(repo, DIGEST), ids.get('allowlist-only'));
      // The plain image is not touched, and the tag leads to the new streams.
      const image = OciImage.openRef(repo, 'tag');
      assert.equal(image.imageRef(version), plain);
      assert.deepEqual(
        image.allErofsImages().map(({ id }) => id),
        [plain, ids.get('allowlist-only'), ids.get('keep-user-xattrs')],
      );
      assert.ok(await isSound(repo));
    });
  }
}

test('boot images with nanoseconds are those of the specification (spec 50 §27.7)', async (t) => {
  const mtimes = { usr: '1000.5', boot: '2000.25', sysroot: '3000.125' };
  const parts = Object.entries(mtimes).flatMap(([name, mtime]) => [
    paxHeader([['mtime', mtime]]),
    tarDirectory(`${name}/`),
  ]);
  const image = buildImage([tarArchive(parts)]);
  const ids = async (algorithm: HashAlgorithm, version: 1 | 2): Promise<ObjectId> =>
    await generateBootImage(
      await withPulled(t, algorithm, { default: version, extra: [] }, image),
      image.manifest.descriptor.digest,
    );
  assert.equal(await ids('sha256', 1), '8451f8359cbd6d65f3e14096ba4df6b3ae88f2efc1f1598e6f1258f776135527');
  assert.equal(await ids('sha256', 2), 'fcfdc5d8922092a4af9c632078fcec55284501ae3b4d123e87a1914c7cac39ad');
  assert.equal(
    await ids('sha512', 1),
    '450558224c832046529b3c413252df63218e45f19d74c24a224992aa08b8288528a8b5da660a0a3d2ff168032058fe41f4d44f716ee3e315bd5feb232b2b3a7b',
  );
});

test('a repository of two formats gets boot images of both', async (t) => {
  const repo = await withPulled(t, 'sha256', { default: 1, extra: [2] });
  const id = await generateBootImage(repo, DIGEST);
  const image = OciImage.open(repo, DIGEST);
  assert.equal(image.bootImageRef(1), id);
  assert.equal(image.bootImageRef(2), await expectedId(repo, DIGEST, 2, 'allowlist-only'));
  assert.ok(await isSound(repo));
});

test('a boot image that is linked is not made again, unless it is damaged or other rules are wanted', async (t) => {
  const repo = await withPulled(t);
  const id = await generateBootImage(repo, DIGEST);
  const before = OciImage.open(repo, DIGEST).configVerity;
  assert.equal(await generateBootImage(repo, DIGEST), id);
  assert.equal(OciImage.open(repo, DIGEST).configVerity, before);
  replaceObject(repo, id, 'damaged');
  assert.equal(await generateBootImage(repo, DIGEST), id);
  assert.ok(await isSound(repo));
  assert.equal(await generateBootImage(repo, DIGEST, { layerRules: 'reference' }), id);
});

test('removing boot images leaves the plain one; gc takes what is not linked (spec 40 §6.3)', async (t) => {
  const repo = await withPulled(t);
  await removeBootImage(repo, DIGEST);
  const plain = OciImage.open(repo, DIGEST).imageRef(1);
  await repo.gc();
  await generateBootImage(repo, DIGEST);
  assert.equal((await repo.gc()).imagesPruned, 0);
  await removeBootImage(repo, DIGEST);
  assert.equal(bootImage(repo, DIGEST), undefined);
  assert.equal((await repo.gc()).imagesPruned, 1);
  assert.equal(OciImage.openRef(repo, 'tag').imageRef(1), plain);

  const one = await generateBootImage(repo, DIGEST);
  const two = await generateBootImage(repo, DIGEST, { xattrs: 'keep-user-xattrs' });
  assert.equal((await repo.gc()).imagesPruned, 0);
  await removeBootImage(repo, DIGEST);
  await removeBootImage(repo, DIGEST);
  assert.equal(bootImageForMode(repo, DIGEST, 'keep-user-xattrs'), undefined);
  assert.equal((await repo.gc()).imagesPruned, 2);
  assert.deepEqual([repo.hasImage(one), repo.hasImage(two)], [false, false]);

  await generateBootImage(repo, DIGEST);
  await generateBootImage(repo, DIGEST, { xattrs: 'keep-user-xattrs' });
  await untagImage(repo, 'tag');
  assert.equal((await repo.gc()).imagesPruned, 3);
  assert.equal((await repo.gc()).objectsRemoved, 0);
});

test('all manifests of a config, and all tags, see its boot images', async (t) => {
  const repo = await withPulled(t);
  const other = bootableImage({ policy: true }, { compression: 'zstd' });
  assert.equal(other.config.descriptor.digest, IMAGE.config.descriptor.digest);
  await pull(repo, layoutOf(t, other), 'other', PULL);
  await tagImage(repo, DIGEST, 'third');
  const id = await generateBootImage(repo, DIGEST);
  for (const tag of ['tag', 'other', 'third']) assert.equal(OciImage.openRef(repo, tag).bootImageRef(1), id);
  await removeBootImage(repo, other.manifest.descriptor.digest);
  for (const tag of ['tag', 'other', 'third']) assert.equal(OciImage.openRef(repo, tag).bootImageRef(1), undefined);
  assert.ok(await isSound(repo));
});

test('the mode and format of a digest are found, stored and linked (spec 40 §6.4)', async (t) => {
  const repo = await withPulled(t);
  const find = (digest: ObjectId) => findMatchingBootImage(repo, DIGEST, digest);
  const absent = '0'.repeat(64) as ObjectId;
  assert.deepEqual(await find(absent), { found: false, tried: 4 });
  assert.equal(OciImage.open(repo, DIGEST).bootImageRefs().size, 0);
  for (const mode of ['keep-user-xattrs', 'allowlist-only'] as const) {
    for (const version of [2, 1] as const) {
      const digest = await expectedId(repo, DIGEST, version, mode);
      assert.deepEqual(await find(digest), { found: true, mode, version, digest });
      assert.equal(OciImage.open(repo, DIGEST).bootImageRef(version, mode), digest);
      assert.equal(repo.hasImage(digest), true);
      // Once more, from what is linked.
      assert.deepEqual(await find(digest), { found: true, mode, version, digest });
    }
  }
  assert.deepEqual(await find(absent), { found: false, tried: 4 });
  assert.ok(await isSound(repo));
});

test('what cannot be made bootable says why, and stays as it was', async (t) => {
  const cases = [
    { tree: { without: ['boot'] }, message: 'Directory entry "boot" does not exist' },
    { tree: { without: ['sysroot'] }, message: 'Directory entry "sysroot" does not exist' },
    {
      tree: { boot: { 'loader/entries/a.conf': 'linux /missing\n' } },
      message: 'Directory entry "missing" does not exist',
    },
  ];
  for (const { tree, message } of cases) {
    const image = bootableImage(tree);
    const repo = await withPulled(t, 'sha256', { default: 2, extra: [] }, image);
    const { digest } = image.manifest.descriptor;
    const before = OciImage.open(repo, digest).configVerity;
    await assert.rejects(generateBootImage(repo, digest), (error: unknown) => errorChain(error).includes(message));
    const absent = '0'.repeat(64) as ObjectId;
    await assert.rejects(findMatchingBootImage(repo, digest, absent), (error: unknown) =>
      errorChain(error).includes(message),
    );
    assert.equal(OciImage.open(repo, digest).configVerity, before);
    assert.ok(await isSound(repo));
  }
});

test('an artifact has no boot images', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const { digest } = await storeArtifact(repo, spdxArtifact());
  const refusal = { code: 'NOT_A_CONTAINER_IMAGE', message: /is an artifact of type .*, which has no file system$/ };
  await assert.rejects(generateBootImage(repo, digest), refusal);
  await assert.rejects(removeBootImage(repo, digest), refusal);
  await assert.rejects(findMatchingBootImage(repo, digest, '0'.repeat(64) as ObjectId), refusal);
  assert.equal(bootImage(repo, digest), undefined);
});
