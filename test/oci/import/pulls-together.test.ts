import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Repository } from '../../../src/composefs/repository/index.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { layerContentId, manifestIdentifier } from '../../../src/oci/store/identifiers.js';
import { listRefs } from '../../../src/oci/store/tags.js';
import type { ProgressEvent } from '../../../src/progress.js';
import { buildImage, dataLayerTar, type LayerCompression } from '../../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { isSound, layoutOf, objectIds, PULL, repositoryIsClean, tempRepository } from '../oci-support.js';
import { IMAGE, messages, pullWithEvents, TARS } from './pull-support.js';

test('two pulls of one image at once, through two instances, read it once', async (t) => {
  const repo = await tempRepository(t);
  const other = await Repository.open(repo.path);
  t.after(() => other.close());
  const reference = layoutOf(t, IMAGE);
  const results = await Promise.all([
    pullWithEvents(repo, reference, 'a'),
    pullWithEvents(other, reference, 'b'),
    pullWithEvents(repo, reference, 'c'),
  ]);
  const [a, b, c] = results.map(([result]) => result);
  assert.equal(a?.manifestVerity, b?.manifestVerity);
  assert.equal(a?.manifestVerity, c?.manifestVerity);
  assert.deepEqual(
    results.map(([{ layers, stats }]) => [
      layers.filter(({ wasPresent }) => wasPresent).length,
      stats.layersAlreadyPresent,
    ]),
    [
      [0, 0],
      [TARS.length, TARS.length],
      [TARS.length, TARS.length],
    ],
  );
  const fetched = messages(results.flatMap(([, events]) => events)).filter((text) =>
    text.startsWith('Fetching config'),
  );
  assert.equal(fetched.length, 1);
  assert.ok(await isSound(repo));
  assert.equal(listRefs(repo).length, 3);
});

test('two images at once read the layers that both have once', async (t) => {
  const repo = await tempRepository(t);
  const [first, second] = [buildImage([...TARS, dataLayerTar(7)]), buildImage([...TARS, dataLayerTar(8)])];
  const results = await Promise.all(
    [first, second].map((image) => pull(repo, layoutOf(t, image), image.diffIds[3], PULL)),
  );
  const present = results.map(({ layers }) => layers.filter(({ wasPresent }) => wasPresent).length);
  assert.equal((present[0] ?? 0) + (present[1] ?? 0), TARS.length);
  assert.ok(await isSound(repo));
});

test('a pull that waits for another outlives its failure and its abort', async (t) => {
  const repo = await tempRepository(t);
  const good = layoutOf(t, IMAGE);
  const [bad = good] = [layoutOf(t, IMAGE)];
  const largest = IMAGE.layers[2]?.descriptor.digest ?? '';
  writeFileSync(join(bad.slice('oci:'.length), 'blobs/sha256', largest.replace('sha256:', '')), 'damaged');
  const failed = await Promise.allSettled([pull(repo, bad, 'bad', PULL), pull(repo, good, 'good', PULL)]);
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );

  const again = await tempRepository(t);
  const [stopped, waiting] = [new AbortController(), new AbortController()];
  const report = (event: ProgressEvent): void => {
    if (event.type !== 'started') return;
    waiting.abort(new Error('does not wait any longer'));
    stopped.abort(new Error('stopped'));
  };
  const pulls = [
    pull(again, good, 'first', { ...PULL, signal: stopped.signal, progress: { report } }),
    pull(again, good, 'second', { ...PULL, signal: waiting.signal }),
    pull(again, good, 'third', PULL),
  ];
  const ends = await Promise.allSettled(pulls);
  assert.deepEqual(
    ends.map((end) => (end.status === 'rejected' ? end.reason.message : end.status)),
    ['stopped', 'does not wait any longer', 'fulfilled'],
  );
  assert.ok(await isSound(again));
  assert.deepEqual(
    listRefs(again).map(([name]) => name),
    ['third'],
  );
});

const BIG = tarArchive([tarDirectory('usr/'), tarFile('usr/big', Buffer.alloc(60 << 20, 1))]);
const SMALL = dataLayerTar(100);

for (const compression of ['none', 'gzip', 'zstd'] satisfies LayerCompression[]) {
  test(`aborting a pull of ${compression} layers ends it soon and leaves complete layers only`, async (t) => {
    const repo = await tempRepository(t);
    const image = buildImage([SMALL, BIG], { compression });
    const reference = layoutOf(t, image);
    const controller = new AbortController();
    const reason = new Error('stopped by the user');
    const report = (event: ProgressEvent): void => {
      const isBig = 'id' in event && event.id === image.diffIds[1];
      if (isBig && event.type === 'progress') controller.abort(reason);
    };
    const options = { ...PULL, concurrency: 2, signal: controller.signal, progress: { report } };
    await assert.rejects(pull(repo, reference, 'tag', options), (error) => error === reason);
    assert.deepEqual(listRefs(repo), []);
    assert.equal(streamOf(repo, image.diffIds[1]), undefined);
    assert.equal(repo.hasStream(manifestIdentifier(image.manifest.descriptor.digest)), undefined);
    assert.ok(await repositoryIsClean(repo));
    await pull(repo, reference, 'tag', PULL);
    assert.ok(await isSound(repo));
  });
}

function streamOf(repo: Repository, diffId: OciDigest | undefined): string | undefined {
  assert.ok(diffId !== undefined);
  return repo.hasStream(layerContentId(diffId));
}

test('a signal that is aborted before the pull stops it before anything is stored', async (t) => {
  const repo = await tempRepository(t);
  const reason = new Error('never mind');
  await assert.rejects(
    pull(repo, layoutOf(t, IMAGE), 'tag', { ...PULL, signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  assert.deepEqual(objectIds(repo), []);
});
