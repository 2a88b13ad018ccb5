import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mountImage } from '../../src/composefs/mount/index.js';
import { Repository } from '../../src/composefs/repository/index.js';
import { mountFuse } from '../../src/fuse/index.js';
import { ociFsck } from '../../src/oci/fsck/fsck.js';
import { importLayer } from '../../src/oci/import/layer/import-layer.js';
import { pull } from '../../src/oci/import/pull.js';
import { ensureComposefsErofs, upgradeRepo } from '../../src/oci/import/upgrade.js';
import { createFilesystem } from '../../src/oci/layer/filesystem.js';
import { layerInfo, layerTar } from '../../src/oci/layer/inspect-layer.js';
import { parseOciDigest } from '../../src/oci/model/digest.js';
import { OciImage } from '../../src/oci/store/image.js';
import { inspectImage, listImages } from '../../src/oci/store/listing.js';
import { cleanupDanglingReferrers, listReferrers } from '../../src/oci/store/referrers.js';
import { listRefs, resolveRef, tagImage, untagImage } from '../../src/oci/store/tags.js';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { chunksOf, PULL } from './oci-support.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());
const layout = fixtures.oci();

const CLOSED = { code: 'REPOSITORY_CLOSED' };

test('nothing can be done with a closed repository', async () => {
  const path = fixtures.path('repo');
  cpSync(fixtures.pulled().path, path, { recursive: true, verbatimSymlinks: true });
  const repo = await Repository.open(path, { insecure: true });
  const image = OciImage.openRef(repo, 'test-image');
  const { manifestDigest, configDigest } = image;
  const diffId = parseOciDigest(image.layerDiffIds()[0] ?? '');
  const tar = layerTar(repo, diffId);
  repo.close();

  for (const call of [
    () => listRefs(repo),
    () => resolveRef(repo, 'test-image'),
    () => tagImage(repo, manifestDigest, 'other'),
    () => untagImage(repo, 'test-image'),
    () => OciImage.open(repo, manifestDigest),
    () => OciImage.openRef(repo, 'test-image'),
    () => image.readManifestJson(repo),
    () => image.readConfigJson(repo),
    () => inspectImage(repo, image),
    () => listImages(repo),
    () => listReferrers(repo, manifestDigest),
    () => cleanupDanglingReferrers(repo),
    () => layerInfo(repo, diffId),
    () => tar.next(),
    () => createFilesystem(repo, configDigest),
    () => mountImage(repo, image.imageRef(2) ?? ''),
    () => pull(repo, `oci:${layout}`, 'again', PULL),
    () => ociFsck(repo),
    () => ensureComposefsErofs(repo, manifestDigest),
    () => upgradeRepo(repo),
    () => importLayer(repo, diffId, undefined, chunksOf(Buffer.alloc(0))),
    () => mountFuse(repo, image.imageRef(2) ?? '', join(path, 'objects')),
  ]) {
    await assert.rejects(async () => call(), CLOSED, String(call));
  }
  assert.equal(image.configDigest, configDigest);
});

test('a pull that runs when the repository is closed comes to its end', async () => {
  const { path } = fixtures.repo();
  const repo = await Repository.open(path, { insecure: true });
  const running = pull(repo, `oci:${layout}`, 'image', PULL);
  const begun = new Promise((resolve) => setTimeout(resolve, 20));
  await begun;
  repo.close();
  assert.throws(() => listRefs(repo), CLOSED);
  const { manifestDigest } = await running;
  await repo[Symbol.asyncDispose]();
  await using again = await Repository.open(path, { insecure: true });
  assert.deepEqual(listRefs(again), [['image', manifestDigest]]);
  assert.deepEqual((await again.fsck({ threads: 0 })).errors, []);
});
