import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Repository } from '../../../../src/composefs/repository/repository.js';
import { errorChain } from '../../../../src/errors.js';
import { LAYERS_AT_ONCE } from '../../../../src/oci/blob/file-layer.js';
import { pull } from '../../../../src/oci/import/pull.js';
import { listRefs } from '../../../../src/oci/store/tags.js';
import { buildImage, dataLayerTar } from '../../../support/oci-fixtures.js';
import { tarArchive, tarFile } from '../../../support/tar-builder.js';
import { xoshiroBytes } from '../../../support/xoshiro.js';
import { layoutOf, objectIds, PULL, repositoryIsClean, tempRepository } from '../../oci-support.js';
import { pullOptions, put, startRegistry } from '../../registry/registry-support.js';

/** How many threads an action starts. */
async function threadsStartedBy(action: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const onWorker = (): void => void count++;
  process.on('worker', onWorker);
  try {
    await action();
    return count;
  } finally {
    process.off('worker', onWorker);
  }
}

/** More than a small pull, and nothing that compresses. */
const largeTar = (name: string): Buffer => tarArchive([tarFile(name, randomBytes(9 << 20))]);

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  test(`a small pull (${compression}) starts no thread, and stores what threads store`, async (context) => {
    const image = buildImage([dataLayerTar(10), dataLayerTar(3000), dataLayerTar(70000)], { compression });
    const [own, threads] = [await tempRepository(context), await tempRepository(context)];
    const reference = layoutOf(context, image);
    const started = await threadsStartedBy(() => pull(own, reference, 'a', { ...PULL, ownThread: true }));
    assert.equal(started, 0);
    assert.notEqual(await threadsStartedBy(() => pull(threads, reference, 'a', PULL)), 0);
    assert.deepEqual(objectIds(own), objectIds(threads));
    assert.deepEqual(listRefs(own), listRefs(threads));
    assert.ok(await repositoryIsClean(own));
  });
}

test('of two large layers the caller stores one, and another thread the other where more than two processors are', async (context) => {
  const [own, threads] = [await tempRepository(context), await tempRepository(context)];
  const reference = layoutOf(context, buildImage([largeTar('a'), largeTar('b')], { compression: 'none' }));
  const started = await threadsStartedBy(() => pull(own, reference, 'a', { ...PULL, ownThread: true }));
  assert.equal(started, Math.min(LAYERS_AT_ONCE - 1, PULL.concurrency));
  await pull(threads, reference, 'a', PULL);
  assert.deepEqual(objectIds(own), objectIds(threads));
  assert.ok(await repositoryIsClean(own));
});

test('a pull on the own thread can be stopped while it works', async (context) => {
  const repo = await tempRepository(context);
  const reference = layoutOf(
    context,
    buildImage([tarArchive([tarFile('zeros', Buffer.alloc(96 << 20))])], { compression: 'gzip' }),
  );
  const controller = new AbortController();
  const reason = new Error('enough');
  const pulling = pull(repo, reference, 'a', { ...PULL, ownThread: true, signal: controller.signal });
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  controller.abort(reason);
  await assert.rejects(pulling, (error) => error === reason);
  assert.deepEqual(listRefs(repo), []);
  assert.deepEqual(objectIds(repo), []);
});

/** A layer with two objects, of which one is in all. Those of higher numbers are smaller. */
const smallTar = (number: number): Buffer =>
  tarArchive([
    tarFile('common', Buffer.alloc(500, 'common')),
    tarFile(`own-${number}`, xoshiroBytes(10_000 - 1000 * number, number)),
  ]);

test('a small pull stores the largest layers first: those before a wrong one stay, and nothing of that one', async (context) => {
  const [failing, complete] = [await tempRepository(context), await tempRepository(context)];
  const image = buildImage([1, 2, 3].map(smallTar), { compression: 'gzip' });
  const reference = layoutOf(context, image);
  const { digest } = image.layers[2]?.descriptor ?? assert.fail();
  const blob = join(reference.slice('oci:'.length), 'blobs', digest.replace(':', '/'));
  const bytes = readFileSync(blob);
  writeFileSync(blob, bytes.fill(0xff, bytes.length - 1));
  await assert.rejects(pull(failing, reference, 'a', { ...PULL, ownThread: true }), (error) =>
    errorChain(error).some((line) => line.startsWith('Blob digest mismatch')),
  );
  await pull(complete, layoutOf(context, buildImage([1, 2].map(smallTar), { compression: 'gzip' })), 'a', PULL);
  const layers = (repo: Repository): string[] => readdirSync(join(repo.path, 'streams')).filter(isLayer).sort();
  assert.equal(layers(failing).length, 2);
  assert.deepEqual(layers(failing), layers(complete));
  const expected = new Set(objectIds(complete));
  assert.deepEqual(
    objectIds(failing).filter((id) => !expected.has(id)),
    [],
  );
  assert.ok(await repositoryIsClean(failing));
});

const isLayer = (name: string): boolean => name.startsWith('oci-layer-');

test('small pulls at once that have layers in common, in other orders, wait for each other and end', async (context) => {
  const repo = await tempRepository(context);
  const tars = [1, 2, 3, 4, 5, 6].map(smallTar);
  const references = [tars, [...tars].reverse(), tars.slice(2, 5)].map((layers) =>
    layoutOf(context, buildImage(layers, { compression: 'gzip' })),
  );
  const results = await Promise.all(
    references.map((reference, index) => pull(repo, reference, `tag-${index}`, { ...PULL, ownThread: true })),
  );
  assert.deepEqual(
    results.map(({ stats }) => stats.layers),
    [6, 6, 3],
  );
  assert.equal(
    results.reduce((sum, { stats }) => sum + stats.layersAlreadyPresent, 0),
    9,
  );
  assert.ok(await repositoryIsClean(repo));
});

test('a small pull from a registry stores what threads store', async (context) => {
  const image = buildImage([1, 2, 3, 4, 5, 6].map(smallTar), { compression: 'gzip' });
  const registry = await startRegistry(context);
  put(registry, 'my/image', image);
  const [own, threads] = [await tempRepository(context), await tempRepository(context)];
  const reference = registry.reference('my/image');
  await pull(own, reference, 'a', { ...pullOptions(context), ownThread: true });
  await pull(threads, reference, 'a', pullOptions(context));
  assert.deepEqual(objectIds(own), objectIds(threads));
  assert.ok(await repositoryIsClean(own));
});
