import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import fc from 'fast-check';
import { computeVerity } from '../../../../src/composefs/fsverity/digest.js';
import { ObjectStore } from '../../../../src/composefs/repository/objects/object-store.js';
import { ComposefsError } from '../../../../src/errors.js';
import type { FromHelper, ToHelper } from '../../../../src/oci/import/layer/helped-queue.js';
import { HelpedQueue } from '../../../../src/oci/import/layer/helped-queue.js';
import type { StoredContent } from '../../../../src/oci/import/layer/object-queue.js';
import { type ImportPool, importPool } from '../../../../src/oci/import/threads/import-pool.js';
import { IMPORT_TASKS } from '../../../../src/oci/import/threads/task-handlers.js';
import { packError } from '../../../../src/threads/error-transfer.js';
import { tempRepository } from '../../../composefs/repository/temp-repository.js';
import { MemoryStore } from '../../../support/memory-store.js';

/** Contents of these sizes; equal sizes are equal contents. */
function contents(sizes: readonly number[]): Buffer[] {
  return sizes.map((size) => Buffer.alloc(size, `${size} `));
}

function idsOf(data: readonly Buffer[]): string[] {
  return data.map((content) => computeVerity('sha512', content));
}

/** Queues everything, with pauses in which answers of helpers come; gives what was told, which must be in order. */
async function storeAll(queue: HelpedQueue, data: readonly Buffer[]): Promise<StoredContent[]> {
  const told: [index: number, content: StoredContent][] = [];
  for (const [index, content] of data.entries()) {
    const copy = Buffer.from(content);
    queue.queueObject(copy, (stored) => told.push([index, stored]));
    // It may be used again.
    copy.fill(0xff);
    if (index % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await queue.drain();
  assert.deepEqual(
    told.map(([index]) => index),
    data.map((_, index) => index),
  );
  return told.map(([, content]) => content);
}

const anySizes = fc.array(
  fc.oneof(
    fc.integer({ min: 65, max: 70 }),
    fc.integer({ min: 65, max: 20_000 }),
    fc.integer({ min: 65, max: 3 << 20 }),
  ),
  { maxLength: 60 },
);

/** A helper of the test: answers as it is told to. */
function addHelper(queue: HelpedQueue, answer: (message: ToHelper, port: MessagePort) => void): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.on('message', (message: ToHelper) => answer(message, port2));
  queue.addHelper(port1);
  return port2;
}

function storeInto(memory: MemoryStore, message: ToHelper & { type: 'batch' }): FromHelper {
  let position = 0;
  const stored = message.sizes.map((size) => {
    const { id, method } = memory.storeObject(Buffer.from(message.memory, position, size));
    position += size;
    return { id, method };
  });
  return { type: 'stored', batch: message.batch, memory: message.memory, contents: stored };
}

test('without helpers every object is stored at once', () => {
  const queue = new HelpedQueue(new MemoryStore('sha512'));
  let told = 0;
  for (const content of contents([100, 1048576])) queue.queueObject(content, () => told++);
  assert.equal(told, 2);
});

test('three threads store the same objects as one, in the same order, under the same names', async (context) => {
  const pool = importPool(2);
  context.after(() => pool.close());
  await fc.assert(
    fc.asyncProperty(anySizes, async (sizes) => {
      const repo = await tempRepository(context);
      const objects = new ObjectStore(repo.objects.options);
      objects.deferNames();
      const queue = new HelpedQueue(objects);
      const helping = [1, 2].map(() => helpBy(pool, queue, repo.objects.options));
      const data = contents(sizes);
      const told = await storeAll(queue, data);
      assert.deepEqual(
        told.map(({ id }) => id),
        idsOf(data),
      );
      // Each content is new once, whoever has stored it.
      const fresh = told.filter(({ method }) => method === 'copied').map(({ id }) => id);
      assert.deepEqual(fresh.toSorted(), [...new Set(idsOf(data))].toSorted());
      objects.sync();
      objects.nameObjects({ areSynced: true });
      await queue.nameHelped();
      for (const { id } of told) assert.ok(repo.objects.isIntact(id));
      queue.close();
      await Promise.all(helping);
    }),
    { numRuns: 15 },
  );
});

function helpBy(pool: ImportPool, queue: HelpedQueue, store: ObjectStore['options']): Promise<undefined> {
  const { port1, port2 } = new MessageChannel();
  queue.addHelper(port1);
  return pool.run('help-layer', { store, port: port2 }, { transfer: [port2] });
}

test('a helper that never answers has two batches; eight wait, and the rest is stored here', async () => {
  const memory = new MemoryStore('sha512');
  const queue = new HelpedQueue(memory);
  const batches: number[] = [];
  const silent = addHelper(queue, (message) => message.type === 'batch' && batches.push(message.sizes.length));
  const data = contents(Array.from({ length: 40 }, (_, index) => 500_000 + index));
  for (const content of data) queue.queueObject(content, () => undefined);
  assert.equal(memory.objects.size, 40 - 2 * (2 + 8));
  const draining = queue.drain();
  while (batches.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(batches, [2, 2]);
  assert.equal(memory.objects.size, 36);
  silent.close();
  await assert.rejects(draining, { code: 'WORKER_EXITED' });
});

/** A helper that cannot begin, as a thread that has no file left to open. */
async function addBrokenHelper(queue: HelpedQueue, options: ObjectStore['options']): Promise<void> {
  const store = {
    ...options,
    get root(): typeof options.root {
      throw new Error('too many open files');
    },
  };
  const { port1, port2 } = new MessageChannel();
  queue.addHelper(port1);
  const taskContext = { report: () => undefined, signal: new AbortController().signal };
  await assert.rejects(async () => await IMPORT_TASKS['help-layer']({ store, port: port2 }, taskContext), {
    message: 'too many open files',
  });
}

test('a helper that cannot begin and has been given nothing is not missed', async (context) => {
  const { objects } = await tempRepository(context);
  const memory = new MemoryStore('sha512');
  const queue = new HelpedQueue(memory);
  await addBrokenHelper(queue, objects.options);
  await new Promise((resolve) => setTimeout(resolve, 10));
  const data = contents([100, 200, 300]);
  const told = await storeAll(queue, data);
  assert.deepEqual([told.map(({ id }) => id), memory.objects.size], [idsOf(data), 3]);
});

test('nobody waits for a helper that was given objects and cannot begin', async (context) => {
  const { objects } = await tempRepository(context);
  const queue = new HelpedQueue(new MemoryStore('sha512'), { objects: 1, waiting: 8 });
  const adding = addBrokenHelper(queue, objects.options);
  for (const content of contents([100, 200, 300])) queue.queueObject(content, () => undefined);
  await assert.rejects(queue.drain(), { code: 'WORKER_EXITED' });
  await adding;
});

test('many small objects fill a batch by their number', async () => {
  const [here, there] = [new MemoryStore('sha512'), new MemoryStore('sha512')];
  const queue = new HelpedQueue(here);
  const counts: number[] = [];
  addHelper(queue, (message, port) => {
    if (message.type !== 'batch') return;
    counts.push(message.sizes.length);
    port.postMessage(storeInto(there, message));
  });
  const data = contents(Array.from({ length: 1000 }, (_, index) => 65 + (index % 7)));
  assert.deepEqual(
    (await storeAll(queue, data)).map(({ id }) => id),
    idsOf(data),
  );
  assert.ok(counts.length > 0 && counts.every((count) => count <= 256), String(counts));
  queue.close();
});

test('a batch that a helper cannot store is stored here, and its reason is not lost', async () => {
  const memory = new MemoryStore('sha512');
  const queue = new HelpedQueue(memory);
  addHelper(queue, (message, port) => {
    if (message.type === 'batch') port.postMessage({ ...message, type: 'failed' } satisfies FromHelper);
  });
  const data = contents(Array.from({ length: 20 }, (_, index) => 300_000 + index));
  assert.deepEqual(
    (await storeAll(queue, data)).map(({ id }) => id),
    idsOf(data),
  );
  memory.storeObject = () => {
    throw new Error('disk full');
  };
  queue.queueObject(Buffer.alloc(100), () => assert.fail('nothing was stored'));
  await assert.rejects(queue.drain(), /^Error: disk full$/);
  queue.close();
});

test('objects that are stored already wait for their turn', async () => {
  const memory = new MemoryStore('sha512');
  const queue = new HelpedQueue(memory);
  addHelper(queue, (message, port) => message.type === 'batch' && port.postMessage(storeInto(memory, message)));
  const order: string[] = [];
  const [first, second] = contents([100, 200]);
  assert.ok(first !== undefined && second !== undefined);
  queue.queueObject(first, () => order.push('queued'));
  queue.queueStored(memory.storeObject(second), () => order.push('stored'));
  assert.deepEqual(order, []);
  await queue.drain();
  assert.deepEqual(order, ['queued', 'stored']);
  queue.close();
});

test('names that a helper cannot give are the failure of the layer', async () => {
  const queue = new HelpedQueue(new MemoryStore('sha512'));
  const error = packError(new ComposefsError('ENOSPC', 'no room'));
  addHelper(queue, (_, port) => port.postMessage({ type: 'not-named', error } satisfies FromHelper));
  await assert.rejects(queue.nameHelped(), { code: 'ENOSPC', message: 'no room' });
  queue.close();
});

test('what helpers have stored of a layer that fails is dropped', async (context: TestContext) => {
  const repo = await tempRepository(context);
  const pool = importPool(1);
  context.after(() => pool.close());
  const queue = new HelpedQueue(new ObjectStore(repo.objects.options));
  const helping = helpBy(pool, queue, repo.objects.options);
  const data = contents(Array.from({ length: 30 }, (_, index) => 200_000 + index));
  for (const content of data.slice(0, 12)) queue.queueObject(content, () => undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  queue.close();
  await helping;
  assert.deepEqual(
    idsOf(data.slice(0, 10)).filter((id) => repo.objects.has(id as never)),
    [],
  );
});
