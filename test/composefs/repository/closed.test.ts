import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { ObjectStore, Repository } from '../../../src/composefs/repository/index.js';
import { tempRepository, tempRoot, testData, treeOf, writeStream } from './temp-repository.js';

const IN_THREAD = { threads: 0 };

describe('a closed repository', () => {
  it('refuses every call', async (t) => {
    const repo = await tempRepository(t);
    const id = await repo.commitImage(treeOf(), 'image');
    await writeStream(repo, 'stream', { ref: 'ref' });
    const options = repo.objects.options;
    repo.close();
    repo.close();
    const closed = { code: 'REPOSITORY_CLOSED' };
    await assert.rejects(repo.sync(), { ...closed, message: `the repository ${repo.path} is closed` });
    const calls: readonly (() => unknown)[] = [
      () => repo.fd,
      () => repo.sync(),
      () => repo.syncNames(),
      () => repo.setInsecure(),
      () => repo.requireVerity(),
      () => repo.formatConfig(),
      () => repo.setErofsVersion(1),
      () => repo.setWriteConcurrency(1),
      () => repo.ensureWritable(),
      () => repo.objectsDir(),
      () => repo.imagesDir(),
      () => repo.hasStream('stream'),
      () => repo.hasNamedStream('ref'),
      () => repo.openStream('stream'),
      () => repo.openStream('', { id: id }),
      () => [...repo.mergeSplitstream('stream')],
      () => repo.hasImage(id),
      () => repo.openImage(id),
      () => repo.openObjectsDirectory(),
      () => repo.listStreamRefs(),
      () => repo.listImageRefs(),
      () => repo.symlink('a', 'b'),
      () => repo.createStream(1n),
      () => repo.registerStream(id, 'a'),
      () => repo.nameStream('stream', 'other'),
      () => repo.writeImage(Buffer.alloc(1)),
      () => repo.registerImage(id),
      () => repo.objectsForImage(id),
      () => repo.commitImage(treeOf()),
      () => repo.commitImages(treeOf()),
      () => repo.commitImageVersion(treeOf(), 1),
      () => repo.objects.has(id),
      () => repo.objects.readObject(id),
      () => repo.objects.ensureObject(Buffer.alloc(1)),
      () => repo.objects.createWriter(),
    ];
    for (const call of calls) await assert.rejects(async () => call(), closed, String(call));
    assert.throws(() => new ObjectStore(options).has(id), closed);
    for (const call of [
      () => repo.hold(() => undefined),
      () => repo.gc(),
      () => repo.gc({ dryRun: true }),
      () => repo.fsck(),
      () => repo.fsck({ metadataOnly: true }),
      () => repo.ensureStream('x', 1n, () => undefined),
    ]) {
      await assert.rejects(call(), closed, String(call));
    }
    assert.equal(repo.algorithm, 'sha512');
  });

  it('lets what runs come to its end, and holds the lock until then', async (t) => {
    const repo = await tempRepository(t);
    const id = repo.objects.ensureObject(testData(4096, 1));
    const other = await Repository.open(repo.path);
    t.after(() => other.close());
    const steps: string[] = [];
    let goOn: () => void = () => undefined;
    const pause = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const work = repo.hold(async () => {
      await pause;
      steps.push(`work has ${repo.objects.readObject(id).length} bytes`);
      await repo.hold(() => steps.push('work goes deeper'));
    });
    await setImmediate();
    const closing = repo[Symbol.asyncDispose]().then(() => steps.push('closed'));
    assert.throws(() => repo.objects.readObject(id), { code: 'REPOSITORY_CLOSED' });
    await assert.rejects(repo.fsck(), { code: 'REPOSITORY_CLOSED' });
    const collection = other.gc(IN_THREAD).then(({ objectsRemoved }) => steps.push(`${objectsRemoved} collected`));
    await setTimeout(100);
    assert.deepEqual(steps, []);
    goOn();
    await Promise.all([work, closing, collection]);
    assert.deepEqual(steps.slice(0, 2), ['work has 4096 bytes', 'work goes deeper']);
    assert.deepEqual(steps.slice(2).sort(), ['1 collected', 'closed']);
  });

  it('waits for a check in threads and for a collection', async (t) => {
    for (const run of [(repo: Repository) => repo.fsck(), (repo: Repository) => repo.gc()]) {
      const repo = await tempRepository(t);
      repo.objects.ensureObject(testData(4096, 1));
      const result = run(repo);
      await repo[Symbol.asyncDispose]();
      assert.ok(await result);
      await assert.rejects(repo.sync(), { code: 'REPOSITORY_CLOSED' });
    }
  });

  it('does nothing to a file that has its descriptor now', async (t) => {
    const repo = await tempRepository(t);
    const { fd } = repo;
    repo.close();
    const again = tempRoot(t);
    assert.equal(again.fd, fd);
    repo.close();
    assert.throws(() => repo.objects.ensureObject(testData(10, 1)), { code: 'REPOSITORY_CLOSED' });
    assert.deepEqual(readdirSync(again.path), []);
  });
});
