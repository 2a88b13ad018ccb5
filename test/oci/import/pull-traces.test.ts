import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Repository } from '../../../src/composefs/repository/index.js';
import { pull } from '../../../src/oci/import/pull.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { CFSCTL } from '../../support/cfsctl.js';
import { blob, buildArtifact, buildImage, dataLayerTar, type TestImage } from '../../support/oci-fixtures.js';
import { findInPath } from '../../support/programs.js';
import { tarArchive, tarDirectory, tarFile, tarSymlink } from '../../support/tar-builder.js';
import { deleteObject, isSound, layoutOf, PULL, tempDir, tempRepository } from '../oci-support.js';
import { pullOptions, put, startRegistry } from '../registry/registry-support.js';

/** What a pull leaves beside what it was for: no garbage, and few syncs. */

const TARS = [dataLayerTar(10), dataLayerTar(3000), dataLayerTar(70000)];
const IMAGE = buildImage(TARS);

const NOTHING = { objectsRemoved: 0, objectsBytes: 0, imagesPruned: 0, streamsPruned: 0 };

/** Fails unless a collection would find nothing to delete: neither objects nor entries that lead to none. */
async function assertClean(repo: Repository): Promise<void> {
  assert.deepEqual(await repo.gc({ dryRun: true, threads: 0 }), NOTHING);
  assert.ok(await isSound(repo));
  // A dry run counts only those entries that are broken already.
  assert.deepEqual(await repo.gc({ threads: 0 }), NOTHING);
}

test('a first pull, one of an artifact, and the same again leave no garbage', async (t) => {
  const repo = await tempRepository(t);
  const artifact = buildArtifact([blob('text/plain', Buffer.from('text'))]);
  for (const [tag, image] of [
    ['image', IMAGE],
    ['artifact', artifact],
    ['image', IMAGE],
    ['other', IMAGE],
    ['artifact', artifact],
  ] as const) {
    await pull(repo, layoutOf(t, image), tag, PULL);
    await assertClean(repo);
  }
});

test('a pull with other formats removes the images and streams that it replaces', async (t) => {
  const repo = await tempRepository(t);
  for (const version of [1, 2, 1] as const) {
    repo.setErofsVersion(version);
    const { images } = await pull(repo, layoutOf(t, IMAGE), 'image', PULL);
    assert.deepEqual(
      images.map((each) => each.version),
      [version],
    );
    await assertClean(repo);
    assert.equal(OciImage.openRef(repo, 'image').imageRef(version), images[0]?.id);
  }
});

test('so does one with other layer rules, of which the first image is another', async (t) => {
  const layer = tarArchive([
    tarDirectory('usr'),
    tarFile('usr/new', 'x'),
    tarFile('usr/.wh.new', ''),
    tarSymlink('l', 'usr'),
  ]);
  const repo = await tempRepository(t);
  const ids = new Set<string | undefined>();
  for (const layerRules of [undefined, 'reference', 'oci'] as const) {
    ids.add((await pull(repo, layoutOf(t, buildImage([layer])), 'image', { ...PULL, layerRules })).images[0]?.id);
    await assertClean(repo);
  }
  assert.equal(ids.size, 2);
});

test('manifests that share a config lead to one stream, and those of before are gone', async (t) => {
  const repo = await tempRepository(t);
  for (const [compression, version] of [
    ['none', 1],
    ['gzip', 2],
    ['zstd', 1],
  ] as const) {
    repo.setErofsVersion(version);
    await pull(repo, layoutOf(t, buildImage(TARS, { compression })), compression, PULL);
    await assertClean(repo);
  }
  const streams = ['none', 'gzip', 'zstd'].map((tag) => OciImage.openRef(repo, tag).configVerity);
  assert.equal(new Set(streams).size, 1);
});

test('referrers leave none, those that share a config either', async (t) => {
  const registry = await startRegistry(t);
  put(registry, 'app', IMAGE);
  const subject = { ...IMAGE.manifest.descriptor };
  const referrers = ['first', 'second'].map((text): TestImage => {
    const artifact = buildArtifact([blob('text/plain', Buffer.from(text))]);
    const json = { ...JSON.parse(artifact.manifest.bytes.toString()), subject };
    return { ...artifact, manifest: blob(artifact.manifest.descriptor.mediaType, Buffer.from(JSON.stringify(json))) };
  });
  for (const [index, referrer] of referrers.entries()) put(registry, 'app', referrer, `referrer-${index}`);
  const repo = await tempRepository(t);
  for (let i = 0; i < 2; i++) {
    const options = pullOptions(t, { ...PULL, referrers: true });
    const result = await pull(repo, `docker://${registry.host}/app`, 'app', options);
    assert.deepEqual(
      result.referrers.toSorted(),
      referrers.map(({ manifest }) => manifest.descriptor.digest).toSorted(),
    );
    await assertClean(repo);
  }
});

test('a layer that is stored again leaves none', async (t) => {
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, IMAGE), 'image', PULL);
  const [, , last = ''] = IMAGE.diffIds;
  const stream = OciImage.openRef(repo, 'image').layerVerity(last);
  assert.ok(stream !== undefined);
  deleteObject(repo, stream);
  await pull(repo, layoutOf(t, IMAGE), 'image', PULL);
  await assertClean(repo);
});

test('nothing is removed while somebody else has the repository open, or does something in it', async (t) => {
  const repo = await tempRepository(t);
  const reference = layoutOf(t, IMAGE);
  await pull(repo, reference, 'image', PULL);
  const before = OciImage.openRef(repo, 'image');
  repo.setErofsVersion(2);
  await repo.hold(() => pull(repo, reference, 'image', PULL));
  assert.ok(repo.objects.has(before.configVerity));

  const other = await Repository.open(repo.path);
  repo.setErofsVersion(1);
  await pull(repo, reference, 'image', PULL);
  other.close();
  assert.ok(repo.objects.has(before.manifestVerity));
  // Superseded are an image, its config stream and its manifest stream.
  const { objectsRemoved } = await repo.gc({ dryRun: true, threads: 0 });
  assert.equal(objectsRemoved, 3);
});

test('what is replaced stays where something else needs it', async (t) => {
  const repo = await tempRepository(t);
  const reference = layoutOf(t, IMAGE);
  const [image] = (await pull(repo, reference, 'image', PULL)).images;
  assert.ok(image !== undefined);
  await repo.registerImage(image.id, 'kept');
  repo.setErofsVersion(2);
  await pull(repo, reference, 'image', PULL);
  assert.ok(repo.hasImage(image.id));
  await assertClean(repo);
});

test('a small pull makes three syncs however many layers it has, a second one none', (t) => {
  const strace = findInPath('strace');
  if (strace === undefined) return t.skip('strace is not installed');
  const directory = tempDir(t);
  const repository = join(directory, 'repository');
  const [layout, log] = [layoutOf(t, IMAGE), join(directory, 'log')];
  const syncs = (...args: string[]): number => {
    const command = [process.execPath, CFSCTL, '--insecure', '--repo', repository, ...args];
    const trace = ['-f', '-e', 'trace=syncfs,sync,fsync,fdatasync', '-o', log];
    const { status, stderr } = spawnSync(strace, [...trace, ...command], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => /\b(?:syncfs|sync|fdatasync)\(|\bfsync\((?![12]\))/.test(line)).length;
  };
  syncs('init');
  assert.equal(syncs('oci', 'pull', layout, 'image'), 3);
  assert.equal(syncs('oci', 'pull', layout, 'image'), 0);
  assert.equal(syncs('oci', 'pull', layout, 'other'), 1);
});
