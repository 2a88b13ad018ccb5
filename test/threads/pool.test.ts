import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { ComposefsError } from '../../src/errors.js';
import { ThreadPool } from '../../src/threads/pool.js';
import type { TestTasks } from './pool-thread.js';

interface Started {
  readonly pool: ThreadPool<TestTasks>;
  /** What `tell` adds to. */
  readonly counter: Int32Array;
}

function start(context: TestContext, size: number): Started {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const pool = new ThreadPool<TestTasks>(new URL('./pool-thread.js', import.meta.url), size, { data: { counter } });
  context.after(() => pool.close());
  return { pool, counter };
}

test('tasks run in the threads of a pool, and give their results to who has asked', async (context) => {
  const { pool } = start(context, 2);
  const inputs = Array.from({ length: 50 }, (_, index) => index);
  const outputs = await Promise.all(inputs.map((input) => pool.run('double', input)));
  assert.deepEqual(
    outputs,
    inputs.map((input) => 2 * input),
  );
  // Whose thread has run how many is the pool's business.
  assert.ok((await pool.run('count', undefined)) <= 50);
});

test('a failure keeps its code and hint, and the thread goes on', async (context) => {
  const { pool } = start(context, 1);
  await assert.rejects(pool.run('fail', 'what is wrong'), (error) => {
    assert.ok(error instanceof ComposefsError);
    assert.deepEqual([error.code, error.message, error.hint], ['TIMEOUT', 'what is wrong', 'a hint']);
    return true;
  });
  assert.equal(await pool.run('double', 4), 8);
});

test('a task that is stopped rejects with the reason, whether it waits, runs or computes', async (context) => {
  const { pool } = start(context, 1);
  const stop = new AbortController();
  const messages: string[] = [];
  const running = pool.run('wait', undefined, {
    signal: stop.signal,
    onProgress: (event) => {
      if (event.type !== 'message') return;
      messages.push(event.text);
      stop.abort(new Error('enough'));
    },
  });
  const waiting = pool.run('double', 1, { signal: stop.signal });
  const results = await Promise.allSettled([running, waiting]);
  assert.deepEqual(messages, ['waiting']);
  // One that ends well although it was to stop has ended well.
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(await pool.run('double', 2), 4);

  const late = AbortSignal.timeout(50);
  await assert.rejects(pool.run('compute', undefined, { signal: late }), { name: 'TimeoutError' });
  assert.equal(await pool.run('double', 3), 6);
  await assert.rejects(pool.run('double', 3, { signal: AbortSignal.abort(new Error('before')) }), /before/);
});

test('a thread that ends takes its task along, and another one takes its place', async (context) => {
  const { pool } = start(context, 1);
  await assert.rejects(pool.run('die', undefined), {
    code: 'WORKER_EXITED',
    message: 'a worker thread ended unexpectedly (status 7)',
  });
  assert.equal(await pool.run('double', 5), 10);
});

test('ports of the input change hands', async (context) => {
  const { pool } = start(context, 1);
  const { port1, port2 } = new MessageChannel();
  const message = new Promise((resolve) => port1.once('message', resolve));
  await pool.run('answer', port2, { transfer: [port2] });
  assert.equal(await message, 'here');
  // What cannot be sent is an error of the call, and of no other.
  await assert.rejects(pool.run('double', (() => 1) as never), { name: 'DataCloneError' });
  assert.equal(await pool.run('double', 6), 12);
});

test('a task for each thread that has started', async (context) => {
  const { pool, counter } = start(context, 3);
  await pool.runInEach('tell', undefined);
  await Promise.all([1, 2, 3, 4, 5].map((input) => pool.run('double', input)));
  await pool.runInEach('tell', undefined);
  assert.equal(Atomics.load(counter, 0), 5);
});

test('a pool that is closed rejects what runs, what waits and what comes', async (context) => {
  const { pool } = start(context, 1);
  const tasks = [pool.run('wait', undefined), pool.run('double', 1)];
  await Promise.all([pool.close(), ...tasks.map((task) => assert.rejects(task, { code: 'POOL_CLOSED' }))]);
  await assert.rejects(pool.run('double', 1), { code: 'POOL_CLOSED' });
});

test('tasks that wait for others share threads when enough of them run; those that do not share have their own', async (context) => {
  const module = new URL('./pool-thread.js', import.meta.url);
  const data = { counter: new Int32Array(new SharedArrayBuffer(4)) };
  const pool = new ThreadPool<TestTasks>(module, 3, { data, sharedThreads: 2 });
  context.after(() => pool.close());
  const attended = Array.from({ length: 6 }, () => {
    const { port1, port2 } = new MessageChannel();
    const thread = pool.run('attend', port2, { sharesThread: true, transfer: [port2] });
    return { end: () => port1.postMessage('end'), thread };
  });
  // All threads that may be shared are busy.
  assert.equal(await pool.run('double', 2), 4);
  assert.equal(pool.isIdle, true);
  for (const { end } of attended) end();
  const threads = await Promise.all(attended.map(({ thread }) => thread));
  const counts = [...new Set(threads)].map((id) => threads.filter((other) => other === id).length);
  assert.deepEqual(counts, [3, 3]);
});

test('a thread that dies takes all with it that run there', async (context) => {
  const module = new URL('./pool-thread.js', import.meta.url);
  const data = { counter: new Int32Array(new SharedArrayBuffer(4)) };
  const pool = new ThreadPool<TestTasks>(module, 1, { data });
  context.after(() => pool.close());
  const { port1, port2 } = new MessageChannel();
  const attended = pool.run('attend', port2, { sharesThread: true, transfer: [port2] });
  const dies = pool.run('die', undefined, { sharesThread: true });
  const results = await Promise.allSettled([attended, dies]);
  port1.close();
  const codes = results.map((result) => result.status === 'rejected' && result.reason.code);
  assert.deepEqual(codes, ['WORKER_EXITED', 'WORKER_EXITED']);
  assert.equal(await pool.run('double', 3), 6);
});
