import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { LayerStore, StoredContent } from '../../../src/oci/import/layer-store.js';
import {
  createObjectBatches,
  ObjectBatches,
  type SharedObjectBatches,
} from '../../../src/oci/import/object-batches.js';
import { WorkerPool } from '../../../src/oci/import/pool.js';
import { SharedLayerStore } from '../../../src/oci/import/shared-layer-store.js';
import { tempRepository } from '../../composefs/repository/temp-repository.js';
import { MemoryStore } from '../../support/memory-store.js';

/** Contents of these sizes, all different. */
function contents(sizes: readonly number[]): Buffer[] {
  return sizes.map((size, index) => Buffer.alloc(size, `${index} `));
}

/** Queues everything in order; returns the ids in the order of the callbacks. */
function storeAll(store: LayerStore, data: readonly Buffer[]): string[] {
  const told: [index: number, content: StoredContent][] = [];
  for (const [index, content] of data.entries()) {
    const copy = Buffer.from(content);
    store.queueObject(copy, (stored) => told.push([index, stored]));
    // The store may not look at it any more.
    copy.fill(0xff);
  }
  store.drain();
  store.close();
  assert.deepEqual(
    told.map(([index]) => index),
    data.map((_, index) => index),
  );
  return told.map(([, { id }]) => id);
}

function idsOf(data: readonly Buffer[]): string[] {
  return data.map((content) => computeVerity('sha512', content));
}

const anyContents = fc.array(fc.oneof(fc.integer({ min: 65, max: 2000 }), fc.integer({ min: 65, max: 1048576 })), {
  maxLength: 30,
});

test('without helpers every object is stored at once', () => {
  const store = new SharedLayerStore(new MemoryStore('sha512'), createObjectBatches('sha512'));
  let told = 0;
  for (const content of contents([100, 1048576])) store.queueObject(content, () => told++);
  assert.equal(told, 2);
});

test('helpers that never come leave all work to the calling thread', () => {
  fc.assert(
    fc.property(anyContents, (sizes) => {
      const shared = createObjectBatches('sha512');
      new ObjectBatches(shared).addHelper(1);
      const data = contents(sizes);
      assert.deepEqual(storeAll(new SharedLayerStore(new MemoryStore('sha512'), shared), data), idsOf(data));
    }),
    { numRuns: 20 },
  );
});

test('more objects than a batch has room for', () => {
  const shared = createObjectBatches('sha512');
  new ObjectBatches(shared).addHelper(1);
  const data = contents(Array.from({ length: 3000 }, (_, index) => 65 + (index % 7)));
  assert.deepEqual(storeAll(new SharedLayerStore(new MemoryStore('sha512'), shared), data), idsOf(data));
});

test('objects that are stored already wait for their turn', () => {
  const shared = createObjectBatches('sha512');
  new ObjectBatches(shared).addHelper(1);
  const memory = new MemoryStore('sha512');
  const store = new SharedLayerStore(memory, shared);
  const order: string[] = [];
  const [first, second] = contents([100, 200]);
  assert.ok(first !== undefined && second !== undefined);
  store.queueObject(first, () => order.push('queued'));
  store.queueStored(memory.storeObject(second), () => order.push('stored'));
  assert.deepEqual(order, []);
  store.drain();
  assert.deepEqual(order, ['queued', 'stored']);
});

/** Claims the first batch, as a helper does; a helper that then goes away. */
function claimFirst(shared: SharedObjectBatches): { claimed: boolean; giveBack: () => void } {
  const batch = new ObjectBatches(shared).claim();
  return { claimed: batch !== undefined, giveBack: () => batch?.giveBack() };
}

test('a helper that dies with a batch is noticed', () => {
  const shared = createObjectBatches('sha512');
  new ObjectBatches(shared).addHelper(1);
  const memory = new MemoryStore('sha512');
  const store = new SharedLayerStore(memory, shared, 10);
  const data = contents(Array.from({ length: 40 }, () => 500_000));
  const told: string[] = [];
  let isClaimed = false;
  for (const content of data) {
    store.queueObject(content, ({ id }) => told.push(id));
    isClaimed ||= claimFirst(shared).claimed;
  }
  assert.ok(isClaimed);
  store.drain();
  assert.deepEqual(told, idsOf(data));
});

test('a batch that a helper gives back is stored by the calling thread', () => {
  const shared = createObjectBatches('sha512');
  new ObjectBatches(shared).addHelper(1);
  const store = new SharedLayerStore(new MemoryStore('sha512'), shared);
  const data = contents(Array.from({ length: 40 }, () => 500_000));
  const told: string[] = [];
  for (const content of data) {
    store.queueObject(content, ({ id }) => told.push(id));
    claimFirst(shared).giveBack();
  }
  store.drain();
  assert.deepEqual(told, idsOf(data));
});

test('an error of the store is that of the call', () => {
  const shared = createObjectBatches('sha512');
  new ObjectBatches(shared).addHelper(1);
  const failing = new MemoryStore('sha512');
  failing.storeObject = () => {
    throw new Error('disk full');
  };
  const store = new SharedLayerStore(failing, shared);
  store.queueObject(Buffer.alloc(100), () => assert.fail('nothing was stored'));
  assert.throws(() => store.drain(), /^Error: disk full$/);
});

test('a helping thread stores the same objects', async (context) => {
  const repo = await tempRepository(context);
  const pool = new WorkerPool(1);
  try {
    const shared = createObjectBatches('sha512');
    const view = new ObjectBatches(shared);
    const helping = pool.run('help-storing', { store: repo.objects.options, layers: [shared] });
    for (let waited = 0; !view.hasHelpers && waited < 500; waited++) await new Promise((done) => setTimeout(done, 10));
    assert.ok(view.hasHelpers);
    const data = contents(Array.from({ length: 200 }, (_, index) => 1000 + 997 * index));
    const ids = storeAll(new SharedLayerStore(repo.objects, shared), data);
    assert.deepEqual(ids, idsOf(data));
    for (const content of data) assert.ok(repo.objects.has(computeVerity('sha512', content)));
    await helping;
  } finally {
    await pool.close();
  }
});
