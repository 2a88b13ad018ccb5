import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ObjectId } from '../../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../../src/composefs/repository/index.js';
import { errorCode } from '../../../../src/errors.js';
import { type ProgressEvent, RecordingReporter } from '../../../../src/progress.js';
import { objectIds, tempRepository, testData, writeStream } from '../temp-repository.js';
import { check, IN_THREAD, image, store } from './gc-support.js';

describe('gc vectors', () => {
  it('ends between two directories of objects when its signal is aborted, and goes on the next time', async (context) => {
    const repo = await tempRepository(context);
    const all = [store.o1(repo), store.o2(repo), store.o3(repo), store.o4(repo)];
    const controller = new AbortController();
    const report = (event: ProgressEvent): void => {
      if (event.type !== 'progress' || objectIds(repo).length === all.length) return;
      controller.abort(new Error('enough'));
      // The signal is looked at between turns.
      const end = performance.now() + 10;
      while (performance.now() < end);
    };
    await assert.rejects(repo.gc({ ...IN_THREAD, signal: controller.signal, progress: { report } }), /^Error: enough$/);
    assert.equal(objectIds(repo).length, 3);
    assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 3);
  });

  it('knows the digests of the test data', async (t) => {
    const repo = await tempRepository(t);
    assert.deepEqual(
      Object.values(store).map((put) => put(repo).slice(0, 16)),
      ['0b7a8534de4b2737', '9ba92173ba81c2d0', '75d19f1dc8bf6204', 'f48cbf5df53ae955'],
    );
    const other = await tempRepository(t, { algorithm: 'sha256' });
    assert.deepEqual(
      Object.values(store).map((put) => put(other).slice(0, 16)),
      ['0cd7c17ec3452e02', '73530247f86ae68f', '713e8a8f0bf29431', '9bd24041120bf2a9'],
    );
  });

  it('an empty repository has nothing to remove', async (t) => {
    const repo = await tempRepository(t);
    await check(repo, { counts: [0, 0, 0], objects: [], links: [] });
    assert.deepEqual(readdirSync(repo.path), ['meta.json']);
  });

  const streamSetUp = async (t: TestContext, ref?: string): Promise<[Repository, ObjectId, ObjectId]> => {
    const repo = await tempRepository(t);
    store.o1(repo);
    const o2 = store.o2(repo);
    const stream = await writeStream(repo, 'test-stream', { objects: [o2], ...(ref !== undefined && { ref }) });
    return [repo, o2, stream];
  };

  it('says how far it is, in this thread or in another', async (t) => {
    const repo = await tempRepository(t);
    repo.objects.ensureObject(testData(1000, 1));
    for (const threads of [0, 1]) {
      const progress = new RecordingReporter();
      await repo.gc({ threads, progress });
      const swept = Array.from({ length: 256 }, (_, index) => ({
        type: 'progress',
        id: repo.path,
        fetched: index + 1,
      }));
      assert.deepEqual(progress.events, [
        { type: 'started', id: repo.path, total: 256, unit: 'items' },
        ...swept,
        { type: 'done', id: repo.path, transferred: 256 },
      ]);
    }
  });

  it('can be stopped while it waits for what this instance does', async (t) => {
    const repo = await tempRepository(t);
    const controller = new AbortController();
    let release: () => void = () => undefined;
    const held = repo.hold(() => new Promise<void>((resolve) => (release = resolve)));
    const collecting = repo.gc({ signal: controller.signal });
    controller.abort();
    await assert.rejects(collecting, (error) => errorCode(error) === 'ABORT_ERR');
    // Others are let in again.
    await repo.hold(() => undefined);
    release();
    await held;
    assert.equal((await repo.gc()).objectsRemoved, 0);
  });

  it('a stream without reference goes with its objects', async (t) => {
    const [repo] = await streamSetUp(t);
    const result = await repo.gc({ ...IN_THREAD, dryRun: true });
    assert.equal(result.objectsBytes, 32768 + 65536 + statSync(join(repo.path, 'streams/test-stream')).size);
    await check(repo, { counts: [3, 0, 1], objects: [], links: [] });
  });

  it('a stream that is an additional root stays', async (t) => {
    const [repo, o2, stream] = await streamSetUp(t);
    const roots = ['test-stream', 'unknown', 'refs/test-stream'];
    await check(repo, { roots, counts: [1, 0, 0], objects: [o2, stream], links: ['streams/test-stream'] });
  });

  it('a stream with a reference stays', async (t) => {
    const [repo, o2, stream] = await streamSetUp(t, 'ref-name');
    const links = ['streams/refs/ref-name', 'streams/test-stream'];
    await check(repo, { counts: [1, 0, 0], objects: [o2, stream], links });
  });

  it('objects of a stream that goes stay if another one needs them', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    const [o2, o3, o4] = [store.o2(repo), store.o3(repo), store.o4(repo)];
    const stream1 = await writeStream(repo, 'test-stream1', { objects: [o2, o3] });
    await writeStream(repo, 'test-stream2', { objects: [o2, o4] });
    await check(repo, {
      roots: ['test-stream1'],
      counts: [3, 0, 1],
      objects: [o2, o3, stream1],
      links: ['streams/test-stream1'],
    });
  });

  for (const tableName of ['test-stream1', 'another-name']) {
    it(`a stream keeps the one that it names ${tableName}`, async (t) => {
      const repo = await tempRepository(t);
      store.o1(repo);
      const o2 = store.o2(repo);
      const stream1 = await writeStream(repo, 'test-stream1', { objects: [o2] });
      const stream2 = await writeStream(repo, 'test-stream2', { named: { [tableName]: stream1 } });
      await check(repo, {
        roots: ['test-stream2'],
        counts: [1, 0, 0],
        objects: [o2, stream1, stream2],
        links: ['streams/test-stream1', 'streams/test-stream2'],
      });
    });
  }

  it('a stream keeps the ones it names, and those of others go', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    const [o2, o3, o4] = [store.o2(repo), store.o3(repo), store.o4(repo)];
    const stream1 = await writeStream(repo, 'test-stream1', { objects: [o2] });
    const stream2 = await writeStream(repo, 'test-stream2', { objects: [o3] });
    const stream3 = await writeStream(repo, 'test-stream3', { objects: [o4] });
    const ref1 = await writeStream(repo, 'ref-stream1', {
      named: { 'test-stream1': stream1, 'test-stream2': stream2 },
    });
    await writeStream(repo, 'ref-stream2', { named: { 'test-stream1': stream1, 'test-stream3': stream3 } });
    await check(repo, {
      roots: ['ref-stream1'],
      counts: [4, 0, 2],
      objects: [o2, o3, stream1, stream2, ref1],
      links: ['streams/ref-stream1', 'streams/test-stream1', 'streams/test-stream2'],
    });
  });

  it('an image without reference goes with its objects', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    await image(repo, [store.o2(repo)]);
    await check(repo, { counts: [3, 1, 0], objects: [], links: [] });
  });

  it('an image that is an additional root stays', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    const o2 = store.o2(repo);
    const id = await image(repo, [o2]);
    await check(repo, { roots: [id], counts: [1, 0, 0], objects: [o2, id], links: [`images/${id}`] });
  });

  it('an image with a reference stays', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    const o2 = store.o2(repo);
    const id = await image(repo, [o2], 'a/ref');
    await check(repo, { counts: [1, 0, 0], objects: [o2, id], links: [`images/${id}`, 'images/refs/a/ref'] });
  });

  it('objects of an image that goes stay if another one needs them', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    const [o2, o3, o4] = [store.o2(repo), store.o3(repo), store.o4(repo)];
    const image1 = await image(repo, [o2, o3]);
    await image(repo, [o2, o4]);
    await check(repo, { roots: [image1], counts: [3, 1, 0], objects: [o2, o3, image1], links: [`images/${image1}`] });
  });
});
