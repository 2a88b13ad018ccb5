import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { computeVerity } from '../../../../src/composefs/fsverity/digest.js';
import { LayersTogether } from '../../../../src/oci/import/layer/layers-together.js';
import type { StoredLayer } from '../../../../src/oci/import/layer/store-tar.js';
import { type OciDigest, parseOciDigest, sha256ContentDigest } from '../../../../src/oci/model/digest.js';
import { objectIds, tempRepository } from '../../../composefs/repository/temp-repository.js';
import { tarArchive, tarFile } from '../../../support/tar-builder.js';
import { chunksOf } from '../../oci-support.js';

const TAR_LAYER = 'application/vnd.oci.image.layer.v1.tar';
const DIGEST = parseOciDigest(`sha256:${'0'.repeat(64)}`);

test('layers that are at work together get the names of their objects after one sync', async (context) => {
  const repo = await tempRepository(context);
  const layers = new LayersTogether(repo.objects.options);
  const order: string[] = [];
  const times = await Promise.all(
    ['a', 'b'].map((name) =>
      layers.run(async (whenNamed) => {
        await nextTurn();
        order.push(`${name} stored`);
        const named = await whenNamed();
        order.push(`${name} named`);
        return named;
      }),
    ),
  );
  assert.deepEqual(order, ['a stored', 'b stored', 'a named', 'b named']);
  assert.equal(times[0], times[1]);
  layers.close();
});

test('a layer may begin after one that has failed while no other was at work', async (context) => {
  const repo = await tempRepository(context);
  const layers = new LayersTogether(repo.objects.options);
  const failure = new Error('no such blob');
  await assert.rejects(
    layers.run(async () => {
      throw failure;
    }),
    failure,
  );
  const { namedAt, syncedAt } = await layers.run((whenNamed) => whenNamed());
  assert.ok(namedAt <= syncedAt);
  layers.close();
});

/** A layer as a pull has it, of a blob in memory; `key` is the diff_id that the config gives. */
function layerOf(tar: Buffer, key: OciDigest = sha256ContentDigest(tar)) {
  const descriptor = { mediaType: TAR_LAYER, digest: sha256ContentDigest(tar), size: tar.length };
  const content = { kind: 'chunks', descriptor, chunks: chunksOf(tar, 1000) } as const;
  return { content, input: { descriptor, key, isContainer: true, keptBytes: 0, limits: undefined } };
}

test('nothing stays of a layer that fails, and what it has in common with the next one is stored', async (context) => {
  const repo = await tempRepository(context);
  const layers = new LayersTogether(repo.objects.options);
  const task = { signal: new AbortController().signal, report: () => undefined };
  const store = (tar: Buffer, key?: OciDigest): Promise<StoredLayer> =>
    layers.run(async (whenNamed) => {
      const { content, input } = layerOf(tar, key);
      const stored = await layers.store(content, input, task);
      await whenNamed();
      return stored;
    });
  const common = tarFile('common', Buffer.alloc(5000, 'common'));
  const wrong = store(tarArchive([common, tarFile('only-there', Buffer.alloc(6000, 'wrong'))]), DIGEST);
  const right = store(tarArchive([common, tarFile('here', Buffer.alloc(7000, 'right'))]));
  await assert.rejects(wrong, { code: 'DIFF_ID_MISMATCH' });
  const { id, stats } = await right;
  assert.deepEqual([stats.objectsCopied, stats.objectsAlreadyPresent], [2, 0]);
  layers.close();
  const contents = [Buffer.alloc(5000, 'common'), Buffer.alloc(7000, 'right')];
  const expected = [id, ...contents.map((content) => computeVerity(repo.algorithm, content))];
  assert.deepEqual(objectIds(repo), expected.sort());
  for (const each of expected) assert.ok(repo.objects.isIntact(each));
});
