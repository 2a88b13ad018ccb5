import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { ociFsckImage } from '../../../src/oci/fsck/fsck.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { findImage, resolveImage } from '../../../src/oci/store/find-image.js';
import { findErofsName, findMountable } from '../../../src/oci/store/find-mountable.js';
import { findRoot } from '../../../src/oci/store/find-root.js';
import { findStream } from '../../../src/oci/store/find-stream.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { tagImage } from '../../../src/oci/store/tags.js';
import { blob, buildArtifact, buildImage, dataLayerTar, spdxArtifact } from '../../support/oci-fixtures.js';
import {
  deleteObject,
  failsWith,
  type StoredImage,
  storeArtifact,
  storeContainer,
  storeTagged,
  tempRepository,
} from '../oci-support.js';

const TARS = [dataLayerTar(3000)];
const IMAGE = buildImage(TARS);
const OTHER = buildImage(TARS, { config: { author: 'somebody else' } });
const ZERO = `sha256:${'0'.repeat(64)}`;

async function withImage(t: TestContext): Promise<{ repo: Repository; stored: StoredImage }> {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  return { repo, stored: await storeTagged(repo, TARS, IMAGE, 'app:1') };
}

/** Puts a name beside another, which shares its first 12 digits. */
function addTwin(repo: Repository, prefix: string, digest: OciDigest, of = digest): string {
  const twin = `${digest.slice(0, 'sha256:'.length + 12)}${'0'.repeat(52)}`;
  const target = repo.hasStream(`oci-manifest-${of}`) ?? '';
  symlinkSync(`../objects/${target.slice(0, 2)}/${target.slice(2)}`, join(repo.path, 'streams', prefix + twin));
  return twin;
}

test('an image is named by its tag, its digests, or their first 8 digits', async (t) => {
  const { repo, stored } = await withImage(t);
  await storeContainer(repo, TARS, OTHER);
  const { digest, configDigest } = stored;
  const manifestDigits = digest.slice('sha256:'.length);
  const configDigits = configDigest.slice('sha256:'.length);
  for (const text of [
    'app:1',
    digest,
    `@${digest}`,
    `quay.io/team/app:2@${digest}`,
    manifestDigits,
    manifestDigits.slice(0, 8),
    `sha256:${manifestDigits.slice(0, 12)}`,
    `@sha256:${manifestDigits.slice(0, 8)}`,
    `app@${manifestDigits.slice(0, 8)}`,
    configDigest,
    `@${configDigest}`,
    configDigits,
    configDigits.slice(0, 8),
    `sha256:${configDigits.slice(0, 8)}`,
  ]) {
    assert.equal((await findImage(repo, text)).manifestDigest, digest, text);
    assert.equal((await resolveImage(repo, text)).digest, digest, text);
  }
  assert.equal((await resolveImage(repo, 'app:1')).manifestVerity, OciImage.openRef(repo, 'app:1').manifestVerity);
  assert.equal((await resolveImage(repo, digest)).manifestVerity, undefined);
});

test('what names no image is said to be no reference, or to be no image if it is a digest', async (t) => {
  const { repo, stored } = await withImage(t);
  const digits = stored.digest.slice('sha256:'.length);
  const texts = [
    digits.slice(0, 7),
    digits.toUpperCase(),
    `${digits}0`,
    'app',
    'app:1@',
    '',
    '/',
    '..',
    'a\0',
    '00000000',
  ];
  for (const text of texts) {
    await assert.rejects(
      findImage(repo, text),
      failsWith('OCI_REF_NOT_FOUND', `OCI reference not found: ${text}`),
      text,
    );
  }
  for (const text of [ZERO, `@${ZERO}`, `app:1@${ZERO}`]) {
    await assert.rejects(findImage(repo, text), failsWith('OCI_IMAGE_NOT_FOUND', `OCI image not found: ${ZERO}`), text);
  }
  // A tag cannot begin so.
  await assert.rejects(findImage(repo, '@app:1'), failsWith('OCI_IMAGE_NOT_FOUND', 'OCI image not found: app:1'));
  await assert.rejects(findImage(repo, `app:${'1'.repeat(300)}`), failsWith('OCI_REF_NOT_FOUND'));
});

test('a tag goes before first digits, and not before a digest', async (t) => {
  const { repo, stored } = await withImage(t);
  const other = await storeContainer(repo, TARS, OTHER);
  const digits = stored.digest.slice('sha256:'.length, 'sha256:'.length + 8);
  await tagImage(repo, other.digest, digits);
  await tagImage(repo, other.digest, stored.digest);
  await tagImage(repo, other.digest, ZERO);
  assert.equal((await findImage(repo, digits)).manifestDigest, other.digest);
  assert.equal((await findImage(repo, `sha256:${digits}`)).manifestDigest, stored.digest);
  assert.equal((await findImage(repo, stored.digest)).manifestDigest, stored.digest);
  assert.equal((await findImage(repo, ZERO)).manifestDigest, other.digest);
});

test('first digits of several images are refused, with the images', async (t) => {
  const { repo, stored } = await withImage(t);
  const twin = addTwin(repo, 'oci-manifest-', stored.digest);
  const text = stored.digest.slice(0, 'sha256:'.length + 12);
  const images = [stored.digest, twin].sort().join(', ');
  await assert.rejects(findImage(repo, text), failsWith('AMBIGUOUS_IMAGE', `${text} could be 2 images: ${images}`));
  assert.equal((await findImage(repo, stored.digest.slice(0, -1))).manifestDigest, stored.digest);
  await assert.rejects(ociFsckImage(repo, text, { threads: 0 }), failsWith('AMBIGUOUS_IMAGE'));
});

test('a config that only artifacts have in common names none of them', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const first = await storeArtifact(repo, spdxArtifact());
  assert.equal((await findImage(repo, first.configDigest)).manifestDigest, first.digest);
  const second = await storeArtifact(repo, buildArtifact([blob('text/plain', Buffer.from('another one'))]));
  assert.equal(second.configDigest, first.configDigest);
  await assert.rejects(findImage(repo, first.configDigest), failsWith('AMBIGUOUS_IMAGE', 'could be 2 images'));
});

test('a damaged image has its name still', async (t) => {
  const { repo, stored } = await withImage(t);
  deleteObject(repo, OciImage.open(repo, stored.digest).configVerity);
  assert.equal((await resolveImage(repo, stored.digest.slice(0, 20))).digest, stored.digest);
  const { imagesChecked, imagesCorrupted, errors } = await ociFsckImage(repo, stored.digest.slice(0, 20), {
    threads: 0,
  });
  assert.deepEqual([imagesChecked, imagesCorrupted, errors.map(({ type }) => type)], [1, 1, ['config-read-failed']]);
});

test('what has files is an OCI image or an EROFS image, by its id, the first digits of that, or a reference', async (t) => {
  const { repo } = await withImage(t);
  const image = OciImage.openRef(repo, 'app:1');
  const id = image.imageRef(repo.erofsVersion) ?? '';
  for (const first of ['oci', 'erofs'] as const) {
    assert.equal(await findMountable(repo, id, first), id);
    assert.equal(await findMountable(repo, id.slice(0, 8), first), id);
    const found = await findMountable(repo, 'app:1', first);
    assert.equal(typeof found === 'string' ? found : found.manifestDigest, image.manifestDigest);
  }
  await assert.rejects(findMountable(repo, id.slice(0, 7), 'oci'), failsWith('OCI_REF_NOT_FOUND'));
  assert.equal(await findMountable(repo, id.slice(0, 7), 'erofs'), id.slice(0, 7));
  assert.equal(await findErofsName(repo, 'app:1'), id);
  const twin = `${id.slice(0, 12)}${'0'.repeat(52)}`;
  symlinkSync(`../objects/${id.slice(0, 2)}/${id.slice(2)}`, join(repo.path, 'images', twin));
  await assert.rejects(
    findMountable(repo, id.slice(0, 12), 'oci'),
    failsWith('AMBIGUOUS_IMAGE', `${id.slice(0, 12)} is the beginning of several EROFS images: `),
  );
  unlinkSync(join(repo.path, 'images', twin));
  mkdirSync(join(repo.path, 'images', 'refs'), { recursive: true });
  symlinkSync(`../../objects/${id.slice(0, 2)}/${id.slice(2)}`, join(repo.path, 'images', 'refs', 'mine'));
  assert.equal(await findMountable(repo, 'mine', 'oci'), 'mine');
  assert.equal(await findMountable(repo, 'refs/mine', 'erofs'), 'refs/mine');
  assert.equal(await findErofsName(repo, 'nonsense'), 'nonsense');
});

test('a stream is named by the digest in its name, or the first digits of that', async (t) => {
  const { repo, stored } = await withImage(t);
  const [layer = ''] = IMAGE.diffIds;
  assert.equal(findStream(repo, layer), `oci-layer-${layer}`);
  assert.equal(findStream(repo, layer.slice(7, 15)), `oci-layer-${layer}`);
  assert.equal(findStream(repo, stored.configDigest.slice(0, 15)), `oci-config-${stored.configDigest}`);
  assert.equal(findStream(repo, stored.digest, ['oci-layer-']), undefined);
  assert.equal(findStream(repo, layer.slice(7, 14)), undefined);
  assert.equal(await findRoot(repo, 'app:1'), `oci-manifest-${stored.digest}`);
  assert.equal(await findRoot(repo, layer.slice(0, 20)), `oci-layer-${layer}`);
  assert.equal(await findRoot(repo, `oci-layer-${layer}`), `oci-layer-${layer}`);
  assert.equal(await findRoot(repo, 'nothing'), undefined);
  const twin = addTwin(repo, 'oci-layer-', layer as OciDigest, stored.digest);
  assert.throws(
    () => findStream(repo, layer.slice(0, 19)),
    failsWith(
      'AMBIGUOUS_STREAM',
      `could be 2 streams: ${[layer, twin]
        .sort()
        .map((each) => `oci-layer-${each}`)
        .join(', ')}`,
    ),
  );
});
