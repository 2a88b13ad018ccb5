import assert from 'node:assert/strict';
import { chmodSync, readFileSync, truncateSync, unlinkSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../src/composefs/repository/index.js';
import { importLayer } from '../../src/oci/import/layer/import-layer.js';
import { pull } from '../../src/oci/import/pull.js';
import { layerTar } from '../../src/oci/layer/inspect-layer.js';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { tagImage, untagImage } from '../../src/oci/store/tags.js';
import { blob, buildArtifact, buildImage } from '../support/oci-fixtures.js';
import { sparseFile, sparseTars } from '../support/sparse-tars.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { chunksOf, failsWith, isSound, layoutOf, objectIds, PULL, tempRepository } from './oci-support.js';

/** Repositories with links to what is gone, or is there in part: what a collection or a pull that broke off leaves. */

const { pax10 } = sparseTars(sparseFile(7000, [[2000, 100]]), 'usr/sparse');

const TARS = [
  tarArchive([tarDirectory('usr'), tarFile('usr/big', Buffer.alloc(3000, 'a')), tarFile('usr/small', 'tiny'), pax10]),
  tarArchive([tarFile('usr/other', Buffer.alloc(9000, 'b'))]),
];
const IMAGE = buildImage(TARS);

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  missing: unlinkSync,
  empty: (path) => truncateSync(path, 0),
  short: (path) => truncateSync(path, readFileSync(path).length - 1),
};

/** Damages every object by itself and in every way, and checks that `restore` makes the repository what it was. */
async function checkEach(repo: Repository, restore: () => Promise<unknown>): Promise<void> {
  const objects = objectIds(repo) as ObjectId[];
  assert.ok(objects.length >= 3);
  const contents = new Map(objects.map((id) => [id, readFileSync(repo.objects.path(id))]));
  for (const [damage, apply] of Object.entries(DAMAGES)) {
    for (const id of objects) {
      const path = repo.objects.path(id);
      chmodSync(path, 0o644);
      apply(path);
      await restore();
      // Streams that were replaced on the way.
      await repo.gc({ threads: 0 });
      assert.deepEqual(objectIds(repo), objects, `${id} ${damage}`);
      assert.deepEqual(readFileSync(path), contents.get(id), `${id} ${damage}`);
      assert.ok(await isSound(repo), `${id} ${damage}`);
    }
  }
}

test('a pull restores every object of an image that is missing, empty or short', async (t) => {
  const repo = await tempRepository(t);
  const layout = layoutOf(t, IMAGE);
  await pull(repo, layout, 'tag', PULL);
  await repo.gc({ threads: 0 });
  await checkEach(repo, () => pull(repo, layout, 'tag', PULL));
});

test('a pull restores every object of an artifact', async (t) => {
  const repo = await tempRepository(t);
  const [tar = Buffer.alloc(0)] = TARS;
  const artifact = buildArtifact([blob('text/plain', Buffer.alloc(500, 'x')), ...buildImage([tar]).layers]);
  const layout = layoutOf(t, artifact);
  await pull(repo, layout, 'tag', PULL);
  await checkEach(repo, () => pull(repo, layout, 'tag', PULL));
});

test('all objects gone and all links left: a pull stores everything again', async (t) => {
  const repo = await tempRepository(t);
  const layout = layoutOf(t, IMAGE);
  await pull(repo, layout, 'tag', PULL);
  const before = objectIds(repo);
  await untagImage(repo, 'tag');
  for (const id of before) unlinkSync(repo.objects.path(id as ObjectId));
  await pull(repo, layout, 'tag', PULL);
  assert.ok(await isSound(repo));
  await repo.gc({ threads: 0 });
  assert.ok(await isSound(repo));
});

test('import-layer stores a layer again whose objects are damaged or gone', async (t) => {
  const repo = await tempRepository(t);
  const [tar = Buffer.alloc(0)] = TARS;
  const diffId = sha256ContentDigest(tar);
  const add = (): Promise<unknown> => importLayer(repo, diffId, 'base/layer', chunksOf(tar));
  await add();
  for (const [damage, apply] of Object.entries(DAMAGES)) {
    for (const id of objectIds(repo) as ObjectId[]) {
      chmodSync(repo.objects.path(id), 0o644);
      apply(repo.objects.path(id));
      await add();
      assert.deepEqual(await buffer(layerTar(repo, diffId)), tar, damage);
      assert.ok(await isSound(repo));
    }
  }
  assert.equal((await repo.gc({ threads: 0 })).objectsRemoved, 0);
});

test('a reference that leads to nothing does not stop the collection, and holds what is stored again', async (t) => {
  const repo = await tempRepository(t);
  const [tar = Buffer.alloc(0)] = TARS;
  const diffId = sha256ContentDigest(tar);
  const { verity } = await importLayer(repo, diffId, 'layer', chunksOf(tar));
  for (const id of objectIds(repo)) unlinkSync(repo.objects.path(id as ObjectId));
  assert.deepEqual((await repo.gc({ threads: 0 })).danglingRefs, ['streams/refs/layer']);
  assert.equal((await importLayer(repo, diffId, undefined, chunksOf(tar))).verity, verity);
  assert.deepEqual(await repo.gc({ threads: 0 }), {
    objectsRemoved: 0,
    objectsBytes: 0,
    imagesPruned: 0,
    streamsPruned: 0,
  });
});

test('a manifest whose object is gone cannot be tagged', async (t) => {
  const repo = await tempRepository(t);
  const { manifestDigest, manifestVerity } = await pull(repo, layoutOf(t, IMAGE), undefined, PULL);
  unlinkSync(repo.objects.path(manifestVerity));
  await assert.rejects(tagImage(repo, manifestDigest, 'tag'), failsWith('OCI_IMAGE_NOT_FOUND'));
  assert.equal(repo.hasNamedStream('oci/tag'), false);
});

test('ensureStream makes a stream again that is damaged, lacks an object or has another content type', async (t) => {
  const repo = await tempRepository(t);
  let fills = 0;
  const ensure = (type: bigint): Promise<ObjectId> =>
    repo.ensureStream('stream', type, (writer) => {
      fills++;
      writer.writeReference(repo.objects.ensureObject(Buffer.alloc(100, 'o')));
    });
  const id = await ensure(1n);
  assert.equal(await ensure(1n), id);
  assert.equal(fills, 1);
  for (const object of objectIds(repo)) {
    unlinkSync(repo.objects.path(object as ObjectId));
    assert.equal(await ensure(1n), id);
  }
  assert.equal(fills, 3);
  assert.notEqual(await ensure(2n), id);
  assert.ok(await isSound(repo));
});
