import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { errorChain } from '../../../src/errors.js';
import { bootImage, generateBootImage } from '../../../src/oci/boot/boot-images.js';
import { pull } from '../../../src/oci/import/pull.js';
import { ensureComposefsErofs } from '../../../src/oci/import/upgrade.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { listRefs } from '../../../src/oci/store/tags.js';
import { bootableImage } from '../../support/boot-images.js';
import { linesOf } from '../../support/dumpfiles.js';
import { spdxArtifact } from '../../support/oci-fixtures.js';
import { isSound, layoutOf, PULL, tempRepository } from '../oci-support.js';

const IMAGE = bootableImage({ policy: true });
const DIGEST = IMAGE.manifest.descriptor.digest;
const BOOTABLE = { ...PULL, bootable: true };

test('a bootable pull makes both images in one pass, and links them at once (spec 40 §16.9, 13)', async (t) => {
  const formats = { algorithm: 'sha256', erofsFormats: { default: 1, extra: [2] }, insecure: true } as const;
  const twoSteps = await tempRepository(t, formats);
  await pull(twoSteps, layoutOf(t, IMAGE), 'tag', PULL);
  const id = await generateBootImage(twoSteps, DIGEST);

  const repo = await tempRepository(t, formats);
  const result = await pull(repo, layoutOf(t, IMAGE), 'tag', BOOTABLE);
  assert.equal(result.bootImage, id);
  assert.equal(bootImage(repo, DIGEST), id);
  const image = OciImage.openRef(repo, 'tag');
  assert.deepEqual(image.allErofsImages(), OciImage.openRef(twoSteps, 'tag').allErofsImages());
  assert.equal(image.configVerity, OciImage.openRef(twoSteps, 'tag').configVerity);
  assert.deepEqual([result.manifestVerity, result.configVerity], [image.manifestVerity, image.configVerity]);
  for (const each of [repo, twoSteps]) {
    assert.equal((await each.gc({ dryRun: true })).objectsRemoved, 0);
    assert.ok(await isSound(each));
  }
});

test('the plain image of a bootable pull has the original /boot', async (t) => {
  const image = bootableImage({ boot: { 'loader/note': 'kept' } });
  const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
  await pull(repo, layoutOf(t, image), 'tag', BOOTABLE);
  const stored = OciImage.openRef(repo, 'tag');
  const inBoot = async (bootable: boolean): Promise<string[]> =>
    linesOf(await stored.readFilesystem(repo, bootable)).filter((line) => line.startsWith('/boot/'));
  assert.deepEqual(
    (await inBoot(false)).map((line) => line.split(' ')[0]),
    ['/boot/loader', '/boot/loader/note'],
  );
  assert.deepEqual(await inBoot(true), []);
});

test('boot images that keep user.* leave the plain image as it is (spec 40, B-19)', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
  await pull(repo, layoutOf(t, IMAGE), 'tag', PULL);
  const plain = OciImage.openRef(repo, 'tag').imageRef(1);
  const boot = await generateBootImage(repo, DIGEST, { xattrs: 'keep-user-xattrs' });

  const other = await tempRepository(t, {
    algorithm: 'sha256',
    erofsFormats: { default: 2, extra: [] },
    insecure: true,
  });
  await pull(other, layoutOf(t, IMAGE), 'tag', PULL);
  other.setErofsVersion(1);
  assert.equal(await ensureComposefsErofs(other, DIGEST, { boot: { xattrs: 'keep-user-xattrs' } }), plain);
  assert.equal(OciImage.openRef(other, 'tag').bootImageRef(1, 'keep-user-xattrs'), boot);
  assert.ok(await isSound(other));
});

test('a second pull makes what is missing, and keeps boot images that it was not asked for', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
  await pull(repo, layoutOf(t, IMAGE), 'tag', PULL);
  const { bootImage: id } = await pull(repo, layoutOf(t, IMAGE), 'tag', BOOTABLE);
  const { configVerity } = OciImage.openRef(repo, 'tag');
  for (const options of [PULL, BOOTABLE]) {
    const again = await pull(repo, layoutOf(t, IMAGE), 'tag', options);
    assert.equal(again.bootImage, options === BOOTABLE ? id : undefined);
    assert.equal(OciImage.openRef(repo, 'tag').configVerity, configVerity);
    assert.equal(bootImage(repo, DIGEST), id);
  }
  assert.equal((await repo.gc({ dryRun: true })).objectsRemoved, 0);
  assert.ok(await isSound(repo));
});

test('an image that cannot be booted is not tagged by a bootable pull', async (t) => {
  for (const without of ['boot', 'sysroot']) {
    const image = bootableImage({ without: [without] });
    const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
    await assert.rejects(pull(repo, layoutOf(t, image), 'tag', BOOTABLE), (error: unknown) => {
      assert.equal(errorChain(error).at(-1), `Directory entry "${without}" does not exist`);
      return true;
    });
    assert.deepEqual(listRefs(repo), []);
    assert.ok(await isSound(repo));
    // The layers are there already.
    const { layers, bootImage: none } = await pull(repo, layoutOf(t, image), 'tag', PULL);
    assert.deepEqual([layers[0]?.wasPresent, none], [true, undefined]);
  }
});

test('an artifact is stored, and has no boot image', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
  const artifact = spdxArtifact();
  const result = await pull(repo, layoutOf(t, artifact), 'sbom', BOOTABLE);
  assert.equal(result.bootImage, undefined);
  assert.deepEqual(listRefs(repo), [['sbom', artifact.manifest.descriptor.digest]]);
});

test('gc keeps boot images as long as the image has a name', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
  const { bootImage: id = '' as ObjectId } = await pull(repo, layoutOf(t, IMAGE), 'tag', BOOTABLE);
  await repo.gc();
  assert.equal(repo.hasImage(id), true);
  await pull(repo, layoutOf(t, bootableImage({ policy: true, boot: { note: 'x' } })), 'tag', BOOTABLE);
  await repo.gc();
  // /boot is no part of a boot image: the other one has the same.
  assert.equal(repo.hasImage(id), true);
  await pull(repo, layoutOf(t, bootableImage()), 'tag', BOOTABLE);
  await repo.gc();
  assert.equal(repo.hasImage(id), false);
});
