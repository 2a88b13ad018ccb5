import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageHistory } from '../../../src/oci/account/image-history.js';
import type { HistoryEntry } from '../../../src/oci/model/config.js';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { buildImage, spdxArtifact, type TestImage } from '../../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile, tarHardlink } from '../../support/tar-builder.js';
import { storeArtifact, storeContainer, tempRepository } from '../oci-support.js';

const big = (letter: string, size = 1000): Buffer => Buffer.alloc(size, letter);

const TARS = [
  tarArchive([
    tarDirectory('usr/'),
    tarFile('usr/a', big('a')),
    tarHardlink('usr/a2', 'usr/a'),
    tarFile('usr/b', big('b', 2000)),
    tarFile('usr/small', 'small'),
    tarDirectory('usr/d/'),
    tarFile('usr/d/c', big('c', 3000)),
    tarFile('usr/d/again', big('b', 2000)),
  ]),
  // One of two names of a goes, the other stays; b is replaced by the same content; d is removed.
  tarArchive([tarFile('usr/.wh.a', ''), tarFile('usr/b', big('b', 2000), { mode: 0o600 }), tarFile('usr/.wh.d', '')]),
  tarArchive([tarFile('usr/.wh..wh..opq', ''), tarFile('usr/new', big('n'))]),
];

function image(history: readonly HistoryEntry[] | undefined): TestImage {
  return buildImage(TARS, { config: history === undefined ? {} : { history } });
}

test('each layer hides what it removes and replaces', async (context) => {
  const repo = await tempRepository(context);
  const made = image([
    { created: '2020-01-01T00:00:00Z', created_by: 'ADD base' },
    { created_by: 'ENV x=1', empty_layer: true },
    { created_by: 'RUN chmod', comment: 'second' },
    { created_by: 'RUN rm' },
  ]);
  const { digest } = await storeContainer(repo, TARS, made);
  const history = await imageHistory(repo, OciImage.open(repo, digest));
  const layer = (index: number, entries: number, files: number, bytes: number): object => ({
    diffId: sha256ContentDigest(TARS[index] ?? Buffer.alloc(0)),
    size: TARS[index]?.length,
    compressedSize: made.layers[index]?.descriptor.size,
    entries,
    hides: { files, bytes },
  });
  assert.deepEqual(history.steps, [
    { created: '2020-01-01T00:00:00Z', created_by: 'ADD base', layer: layer(0, 8, 0, 0) },
    { created_by: 'ENV x=1', layer: undefined },
    { created_by: 'RUN chmod', comment: 'second', layer: layer(1, 3, 3, 7000) },
    { created_by: 'RUN rm', layer: layer(2, 2, 3, 3005) },
  ]);
  assert.equal(
    history.size,
    TARS.reduce((sum, tar) => sum + tar.length, 0),
  );
  assert.deepEqual(history.hidden, { files: 6, bytes: 10_005 });
  // a, b and c, each once; what is small is in no object.
  assert.deepEqual(history.wasted, { files: 3, bytes: 6000 });
});

test('layers of which the history does not tell are there all the same', async (context) => {
  const repo = await tempRepository(context);
  for (const entries of [undefined, [{ created_by: 'only one' }]]) {
    const { digest } = await storeContainer(repo, TARS, image(entries));
    const { steps } = await imageHistory(repo, OciImage.open(repo, digest));
    assert.deepEqual(
      steps.map(({ created_by, layer }) => [created_by, layer?.diffId]),
      TARS.map((tar, index) => [entries?.[index]?.created_by, sha256ContentDigest(tar)]),
    );
  }
});

test('a history that is longer than the layers has steps without any', async (context) => {
  const repo = await tempRepository(context);
  const entries = Array.from({ length: 5 }, (_, index) => ({ created_by: `step ${index}` }));
  const { digest } = await storeContainer(repo, TARS, image(entries));
  const { steps } = await imageHistory(repo, OciImage.open(repo, digest));
  assert.deepEqual(
    steps.map(({ layer }) => layer !== undefined),
    [true, true, true, false, false],
  );
});

test('an artifact has no history', async (context) => {
  const repo = await tempRepository(context);
  const { digest } = await storeArtifact(repo, spdxArtifact());
  await assert.rejects(imageHistory(repo, OciImage.open(repo, digest)), {
    code: 'NOT_A_CONTAINER_IMAGE',
    message: `${digest} is an artifact of type text/spdx+json, which has no history`,
  });
});
