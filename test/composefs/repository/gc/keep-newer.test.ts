import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { objectIds, tempRepository, testData, treeOf, writeStream } from '../temp-repository.js';

test('what was stored in some time stays, with what it needs', async (context) => {
  const repo = await tempRepository(context);
  const needed = repo.objects.ensureObject(testData(5000, 1));
  const old = repo.objects.ensureObject(testData(5000, 2));
  const oldImage = await repo.commitImage(treeOf({ id: old, size: 5000 }));
  const moment = Date.now() + 500;
  await sleep(1000);
  const loose = repo.objects.ensureObject(testData(5000, 3));
  const stream = await writeStream(repo, 'young', { objects: [needed] });
  await repo.sync();

  const keepNewerThan = (): number => Date.now() - moment;
  const dry = await repo.gc({ dryRun: true, threads: 0, keepNewerThan: keepNewerThan() });
  assert.equal(dry.objectsRemoved, 2);
  const result = await repo.gc({ threads: 0, keepNewerThan: keepNewerThan() });
  assert.deepEqual([result.objectsRemoved, result.imagesPruned, result.streamsPruned], [2, 1, 0]);
  assert.deepEqual(objectIds(repo), [needed, loose, stream].sort());
  assert.equal(repo.hasImage(oldImage), false);
  assert.equal(repo.hasStream('young'), stream);

  const rest = await repo.gc({ keepNewerThan: 0 });
  assert.equal(rest.objectsRemoved, 3);
});
