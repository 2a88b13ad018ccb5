import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonsFor } from '../../../src/composefs/account/reasons.js';
import { ReferenceGraph } from '../../../src/composefs/account/reference-graph.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { tempRepository, testData, treeOf } from '../repository/temp-repository.js';

async function stream(
  repo: Repository,
  name: string,
  data: readonly Buffer[],
  named: Readonly<Record<string, ObjectId>> = {},
  ref?: string,
): Promise<ObjectId> {
  const writer = repo.createStream(1n);
  for (const [key, id] of Object.entries(named)) writer.addNamedStreamRef(key, id);
  for (const each of data) {
    writer.addExternalSize(each.length);
    writer.writeReference(repo.objects.ensureObject(each));
  }
  return await repo.writeStream(writer, name, ref);
}

test('what keeps an object is found, with the shortest way from each reference', async (context) => {
  const repo = await tempRepository(context);
  const [shared, own] = [testData(5000, 1), testData(5000, 2)];
  const [sharedId, ownId] = [shared, own].map((data) => repo.objects.ensureObject(data)) as [ObjectId, ObjectId];
  const inner = await stream(repo, 'inner', [shared, own]);
  const middle = await stream(repo, 'middle', [], { inner });
  await stream(repo, 'top', [], { middle, short: inner }, 'a/top');
  await stream(repo, 'direct', [shared], {}, 'b');
  repo.nameStream('direct', 'c');
  await stream(repo, 'loose', [own]);
  const image = await repo.commitImage(treeOf({ id: sharedId, size: shared.length }), 'image');
  await repo.sync();

  for (const threads of [0, 1]) {
    const graph = await ReferenceGraph.read(repo, { threads });
    const direct = {
      category: 'streams',
      name: 'direct',
      id: repo.hasStream('direct'),
      refs: ['streams/refs/b', 'streams/refs/c'],
    };
    const top = { category: 'streams', name: 'top', id: repo.hasStream('top'), refs: ['streams/refs/a/top'] };
    const named = { category: 'images', name: image, id: image, refs: ['images/refs/image'] };
    const toInner = { key: 'short', id: inner, stream: 'inner' };
    const found = (id: ObjectId): unknown[] => reasonsFor(graph, id).sort((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(
      new Set(found(sharedId)),
      new Set([
        { ...named, steps: [{ key: undefined, id: sharedId, stream: undefined }] },
        { ...direct, steps: [{ key: undefined, id: sharedId, stream: undefined }] },
        { ...top, steps: [toInner, { key: undefined, id: sharedId, stream: undefined }] },
      ]),
    );
    assert.deepEqual(found(ownId), [{ ...top, steps: [toInner, { key: undefined, id: ownId, stream: undefined }] }]);
    assert.deepEqual(found(middle), [{ ...top, steps: [{ key: 'middle', id: middle, stream: 'middle' }] }]);
    assert.deepEqual(found(image), [{ ...named, steps: [] }]);
    // Garbage.
    assert.deepEqual(found(repo.hasStream('loose') ?? sharedId), []);
    assert.deepEqual(graph.groups().length, 3);
  }
});

test('streams that name each other are no way without an end', async (context) => {
  const repo = await tempRepository(context);
  const data = testData(3000, 7);
  const id = repo.objects.ensureObject(data);
  const first = await stream(repo, 'a', [data]);
  const second = await stream(repo, 'b', [], { a: first });
  await stream(repo, 'a', [data], { b: second }, 'ref');
  await repo.sync();
  const graph = await ReferenceGraph.read(repo);
  const [reason, ...others] = reasonsFor(graph, id);
  assert.deepEqual(others, []);
  assert.deepEqual(reason?.steps, [{ key: undefined, id, stream: undefined }]);
});
