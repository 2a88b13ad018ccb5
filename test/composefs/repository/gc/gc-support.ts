import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { ObjectId } from '../../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../../src/composefs/repository/index.js';
import { filesBelow } from '../../../support/files-below.js';
import { objectIds, testData, treeOf } from '../temp-repository.js';

export const IN_THREAD = { threads: 0 };

/** The test data of spec 10 §17.4. */
export const store = {
  o1: (repo: Repository): ObjectId => repo.objects.ensureObject(testData(32768, 0xae)),
  o2: (repo: Repository): ObjectId => repo.objects.ensureObject(testData(65536, 0xea)),
  o3: (repo: Repository): ObjectId => repo.objects.ensureObject(testData(65536, 0xaa)),
  o4: (repo: Repository): ObjectId => repo.objects.ensureObject(testData(65536, 0xee)),
};

/** The digest of an image that needs these objects. */
export async function image(repo: Repository, objects: readonly ObjectId[], ref?: string): Promise<ObjectId> {
  return await repo.commitImage(treeOf(...objects.map((id) => ({ id, size: 65536 }))), ref);
}

interface Expectation {
  readonly roots?: readonly string[];
  readonly counts: readonly [objects: number, images: number, streams: number];
  /** Ids of all objects that are left. */
  readonly objects: readonly ObjectId[];
  /** All links that are left. */
  readonly links: readonly string[];
}

/** Collects, dry and for real, in this thread and in a worker, and looks at what is left. */
export async function check(repo: Repository, expected: Expectation): Promise<void> {
  const { roots = [], counts } = expected;
  const links = (): string[] =>
    ['images', 'streams'].flatMap((category) =>
      filesBelow(join(repo.path, category)).map((name) => `${category}/${name}`),
    );
  const before = [...objectIds(repo), ...links()];
  const dry = await repo.gc({ ...IN_THREAD, roots, dryRun: true });
  assert.deepEqual([...objectIds(repo), ...links()], before, 'a dry run changes nothing');
  const result = await repo.gc({ ...IN_THREAD, roots });
  assert.deepEqual([result.objectsRemoved, result.imagesPruned, result.streamsPruned], counts);
  assert.deepEqual(dry, { ...result, imagesPruned: 0, streamsPruned: 0 }, 'a dry run counts objects exactly');
  assert.deepEqual(objectIds(repo), [...expected.objects].sort());
  assert.deepEqual(links(), [...expected.links].sort());
  assert.deepEqual(await repo.gc({ ...IN_THREAD, roots }), {
    objectsRemoved: 0,
    objectsBytes: 0,
    imagesPruned: 0,
    streamsPruned: 0,
  });
}
