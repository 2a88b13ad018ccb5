import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { exportImage } from '../../../src/oci/export/export-image.js';
import { pull } from '../../../src/oci/import/pull.js';
import { ensureComposefsErofs } from '../../../src/oci/import/upgrade.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { untagImage } from '../../../src/oci/store/tags.js';
import { blob, buildArtifact, type TestImage } from '../../support/oci-fixtures.js';
import { failsWith, isSound, layoutOf, objectIds, PULL, tempDir, tempRepository } from '../oci-support.js';
import { blobRequests, pullOptions, put, sizedImage, startRegistry } from '../registry/registry-support.js';

const GZIP = sizedImage([100_000, 200], { compression: 'gzip' });
const KEEP = { ...PULL, keepBlobs: true };

const digests = (image: TestImage): string[] => image.layers.map(({ descriptor }) => descriptor.digest);

async function exported(
  context: TestContext,
  repo: Parameters<typeof exportImage>[0],
  tag = 'a',
): Promise<string | undefined> {
  const target = `oci:${tempDir(context)}/out`;
  return (await exportImage(repo, OciImage.openRef(repo, tag), target)).manifestDigest;
}

test('an image whose blobs were kept leaves as it came, and each blob was fetched once', async (context) => {
  const registry = await startRegistry(context);
  put(registry, 'team/app', GZIP);
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const result = await pull(repo, registry.reference('team/app'), 'a', { ...pullOptions(context), keepBlobs: true });
  const sizes = GZIP.layers.map(({ descriptor }) => descriptor.size);
  assert.equal(
    result.transfer.fetchedBytes,
    sizes.reduce((sum, size) => sum + size),
  );
  assert.equal(blobRequests(registry).length, 3);
  assert.deepEqual([...OciImage.openRef(repo, 'a').blobRefs.keys()], digests(GZIP));
  assert.equal(await exported(context, repo), GZIP.manifest.descriptor.digest);
  assert.ok(await isSound(repo));
});

test('the file system is the same with and without', async (context) => {
  const [one, other] = [await tempRepository(context), await tempRepository(context)];
  const layout = layoutOf(context, GZIP);
  const kept = await pull(one, layout, 'a', KEEP);
  const plain = await pull(other, layout, 'a', PULL);
  assert.deepEqual(kept.images, plain.images);
  assert.equal(kept.configVerity, plain.configVerity);
  assert.notEqual(kept.manifestVerity, plain.manifestVerity);
  // One object and one stream for each blob; the streams of the manifests differ.
  assert.equal(objectIds(one).length, objectIds(other).length + 4);
});

test('blobs can be kept later, and stay when the image is pulled again or linked anew', async (context) => {
  const repo = await tempRepository(context);
  const layout = layoutOf(context, GZIP);
  await pull(repo, layout, 'a', PULL);
  await assert.rejects(exported(context, repo), failsWith('DIGEST_WOULD_CHANGE'));
  await pull(repo, layout, 'a', KEEP);
  assert.equal(await exported(context, repo), GZIP.manifest.descriptor.digest);
  await pull(repo, layout, 'a', PULL);
  const image = OciImage.openRef(repo, 'a');
  await ensureComposefsErofs(repo, image.manifestDigest, { manifestVerity: image.manifestVerity, tag: 'a' });
  assert.deepEqual([...OciImage.openRef(repo, 'a').blobRefs.keys()], digests(GZIP));
  await repo.gc();
  assert.equal(await exported(context, repo), GZIP.manifest.descriptor.digest);
  assert.ok(await isSound(repo));
  await untagImage(repo, 'a');
  await repo.gc();
  assert.deepEqual(objectIds(repo), []);
});

test('two manifests of one config keep the blobs of each', async (context) => {
  const repo = await tempRepository(context);
  const zstd = sizedImage([100_000, 200], { compression: 'zstd' });
  assert.equal(zstd.config.descriptor.digest, GZIP.config.descriptor.digest);
  await pull(repo, layoutOf(context, GZIP), 'a', KEEP);
  await pull(repo, layoutOf(context, zstd), 'b', KEEP);
  await repo.gc();
  assert.equal(await exported(context, repo, 'a'), GZIP.manifest.descriptor.digest);
  assert.equal(await exported(context, repo, 'b'), zstd.manifest.descriptor.digest);
  assert.ok(await isSound(repo));
});

test('what is not compressed, and what an artifact has, is not stored twice', async (context) => {
  const images = [
    sizedImage([1000], { compression: 'none' }),
    buildArtifact([blob('application/gzip', Buffer.from('not a layer'))]),
  ];
  for (const image of images) {
    const [one, other] = [await tempRepository(context), await tempRepository(context)];
    const layout = layoutOf(context, image);
    await pull(one, layout, 'a', KEEP);
    await pull(other, layout, 'a', PULL);
    assert.deepEqual(objectIds(one), objectIds(other));
  }
});
