import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedQueue } from '../../src/threads/shared-queue.js';
import { Thread } from '../../src/threads/thread.js';
import { nextMessage } from './next-message.js';

test('a queue gives its numbers in order, and none behind the last', () => {
  const queue = SharedQueue.ofLength(2);
  assert.deepEqual([queue.left, queue.take(), queue.left, queue.take(), queue.left], [2, 0, 1, 1, 0]);
  assert.deepEqual([queue.take(), queue.take(), queue.left, queue.done], [undefined, undefined, 0, 0]);
  queue.finishOne();
  assert.equal(queue.done, 1);
  assert.equal(SharedQueue.ofLength(0).take(), undefined);
});

test('a queue that is cleared has nothing left, for whoever takes of it', () => {
  const queue = SharedQueue.ofLength(10);
  assert.equal(queue.take(), 0);
  queue.clear();
  assert.deepEqual([queue.take(), queue.left, new SharedQueue(queue.reference).take()], [undefined, 0, undefined]);
});

test('threads take each number of a queue once', async () => {
  const LENGTH = 200_000;
  const queue = SharedQueue.ofLength(LENGTH);
  const module = new URL('./queue-thread.js', import.meta.url);
  const threads = Array.from({ length: 3 }, () => new Thread(module, { data: queue.reference }));
  const taken = (await Promise.all(threads.map((thread) => nextMessage<number[]>(thread)))).flat();
  await Promise.all(threads.map((thread) => thread.end()));
  assert.deepEqual(
    taken.sort((one, other) => one - other),
    Array.from({ length: LENGTH }, (_, index) => index),
  );
  assert.deepEqual([queue.left, queue.done], [0, LENGTH]);
});
