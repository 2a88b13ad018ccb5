import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LAYERS_AT_ONCE } from '../../../../src/oci/blob/file-layer.js';
import { pull } from '../../../../src/oci/import/pull.js';
import { listRefs } from '../../../../src/oci/store/tags.js';
import { buildImage, dataLayerTar } from '../../../support/oci-fixtures.js';
import { tarArchive, tarFile } from '../../../support/tar-builder.js';
import { layoutOf, objectIds, PULL, repositoryIsClean, tempRepository } from '../../oci-support.js';

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
