import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Repository } from '../../../src/composefs/repository/index.js';
import { filesBelow } from '../../support/files-below.js';
import { childStatus, killChild, STORE_ROUNDS, startChild } from './child-process.js';
import { tempDir, tempRepository, testData, writeStream } from './temp-repository.js';

const IN_THREAD = { threads: 0 };

function temporaryFiles(path: string): string[] {
  return filesBelow(path).filter((name) => /(^|\/)\.(tmp|symlink)-/.test(name));
}

describe('several processes in a repository', () => {
  for (const named of [false, true]) {
    it(`store the same at once (${named ? 'named' : 'anonymous'} temporary files)`, async (t) => {
      const path = join(tempDir(t), 'repo');
      (await Repository.init(path, { algorithm: 'sha512', insecure: true })).repo.close();
      const children = await Promise.all([startChild('store', path, named), startChild('store', path, named)]);
      assert.deepEqual(await Promise.all(children.map(childStatus)), [0, 0]);
      const repo = await Repository.open(path);
      t.after(() => repo.close());
      const result = await repo.fsck(IN_THREAD);
      assert.deepEqual(result.errors, []);
      // For each round: a large object, ten small ones, a stream, an image.
      assert.deepEqual(
        [result.objectsChecked, result.streamsChecked, result.imagesChecked],
        [STORE_ROUNDS * 13, STORE_ROUNDS, STORE_ROUNDS],
      );
      assert.deepEqual(temporaryFiles(path), []);
      assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 0);
    });

    it(`leave a sound repository when they are killed (${named ? 'named' : 'anonymous'} temporary files)`, async (t) => {
      const repo = await tempRepository(t);
      for (const pause of [30, 90, 150]) {
        const child = await startChild('store-forever', repo.path, named);
        await sleep(pause);
        await killChild(child);
      }
      const result = await repo.fsck(IN_THREAD);
      assert.deepEqual(result.errors, []);
      assert.ok(result.objectsChecked > 0);
      if (!named) assert.deepEqual(temporaryFiles(repo.path), []);
      await repo.gc(IN_THREAD);
      assert.deepEqual((await repo.fsck(IN_THREAD)).errors, []);
    });
  }

  it('keep garbage from being collected while they have it open', async (t) => {
    const repo = await tempRepository(t);
    const child = await startChild('hold', repo.path);
    t.after(() => killChild(child));
    repo.objects.ensureObject(testData(10, 1));
    let done = false;
    const collecting = repo.gc(IN_THREAD).finally(() => {
      done = true;
    });
    await sleep(150);
    assert.equal(done, false);
    // A dry run needs the shared lock only.
    assert.equal((await repo.gc({ ...IN_THREAD, dryRun: true })).objectsRemoved, 1);
    await killChild(child);
    assert.equal((await collecting).objectsRemoved, 1);
  });

  it('may give up waiting', async (t) => {
    const repo = await tempRepository(t);
    const child = await startChild('hold', repo.path);
    t.after(() => killChild(child));
    const reason = new Error('no patience');
    const controller = new AbortController();
    const collecting = repo.gc({ ...IN_THREAD, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(collecting, reason);
    repo.objects.ensureObject(testData(10, 1));
  });
});

describe('one process', () => {
  it('collects when its other instances have closed', async (t) => {
    const repo = await tempRepository(t);
    const other = await Repository.open(repo.path);
    repo.objects.ensureObject(testData(10, 1));
    let done = false;
    const collecting = repo.gc(IN_THREAD).finally(() => {
      done = true;
    });
    await sleep(100);
    assert.equal(done, false);
    other.close();
    assert.equal((await collecting).objectsRemoved, 1);
  });

  it('opens when another instance has collected', async (t) => {
    const repo = await tempRepository(t);
    for (let i = 0; i < 50; i++) repo.objects.ensureObject(testData(10, i));
    const collecting = repo.gc();
    const opening = Repository.open(repo.path);
    assert.equal((await collecting).objectsRemoved, 50);
    (await opening).close();
  });

  it('collects twice at once, one after the other', async (t) => {
    const repo = await tempRepository(t);
    const other = await Repository.open(repo.path);
    t.after(() => other.close());
    repo.objects.ensureObject(testData(10, 1));
    const results = await Promise.all([repo.gc(IN_THREAD), repo.gc(IN_THREAD), sleep(50).then(() => other.close())]);
    assert.deepEqual([results[0].objectsRemoved, results[1].objectsRemoved], [1, 0]);
  });

  it('does not collect what is being stored in steps', async (t) => {
    const repo = await tempRepository(t);
    const order: string[] = [];
    const storing = repo.hold(async () => {
      const object = repo.objects.ensureObject(testData(10, 1));
      await sleep(50);
      await writeStream(repo, 'stream', { objects: [object], ref: 'name' });
      order.push('stored');
    });
    const collecting = repo.gc(IN_THREAD).then((result) => {
      order.push('collected');
      return result;
    });
    await storing;
    assert.equal((await collecting).objectsRemoved, 0);
    assert.deepEqual(order, ['stored', 'collected']);
  });

  it('refuses to collect inside of what collecting would wait for', async (t) => {
    const repo = await tempRepository(t);
    await repo.hold(() => repo.hold(() => assert.rejects(repo.gc(IN_THREAD), { code: 'DEADLOCK' })));
    assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 0);
  });

  it('does not store while it collects', async (t) => {
    const repo = await tempRepository(t);
    const other = await Repository.open(repo.path);
    repo.objects.ensureObject(testData(10, 1));
    const collecting = repo.gc(IN_THREAD);
    await sleep(20);
    assert.throws(() => repo.objects.ensureObject(testData(10, 2)), { code: 'REPOSITORY_BUSY' });
    assert.throws(() => repo.nameStream('a', 'b'), { code: 'REPOSITORY_BUSY' });
    let held = false;
    const storing = repo.hold(() => {
      held = true;
      return repo.objects.ensureObject(testData(10, 2));
    });
    await sleep(20);
    assert.equal(held, false);
    other.close();
    await collecting;
    await storing;
    assert.equal(
      readdirSync(repo.objects.objectsPath).some((name) => name.startsWith('.')),
      false,
    );
    assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 1);
  });
});
