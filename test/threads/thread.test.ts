import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TerminationLock } from '../../src/threads/termination-lock.js';
import { Thread } from '../../src/threads/thread.js';

const ROUNDS = Number(process.env['COMPOSEFS_TEST_THREAD_ENDS'] ?? 12);

test('threads can be ended while koffi is loaded and functions are bound', () => {
  const program = fileURLToPath(new URL('./end-binding-threads.js', import.meta.url));
  const { status, signal, stderr } = spawnSync(process.execPath, [program, String(ROUNDS)], { encoding: 'utf8' });
  assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' });
});

test('a thread gets its data and messages, and ends when it is asked to', async () => {
  const thread = new Thread(new URL('./echo-thread.js', import.meta.url), { data: { prefix: 'echo' } });
  let exits = 0;
  const statuses: number[] = [];
  thread.onExit((status) => {
    exits += 1;
    statuses.push(status);
  });
  const reply = thread.nextMessage<string>();
  thread.post('one');
  assert.equal(await reply, 'echo one');
  await thread.end();
  await thread.end();
  assert.deepEqual({ exits, statuses }, { exits: 1, statuses: [0] });
});

test('a thread that does not listen is ended all the same', async () => {
  const thread = new Thread(new URL('./echo-thread.js', import.meta.url), { data: { prefix: 'echo' } });
  thread.post('sleep');
  assert.equal(await thread.nextMessage<string>(), 'echo sleep');
  const statuses: number[] = [];
  thread.onExit((status) => statuses.push(status));
  await thread.end();
  assert.deepEqual(statuses, [1]);
});

test('a lock is taken when nothing is under way, and for good', () => {
  const lock = new TerminationLock();
  const other = new TerminationLock(lock.buffer);
  assert.equal(
    lock.run(() => lock.run(() => other.tryTake())),
    false,
  );
  assert.equal(
    lock.run(() => other.takeWithin(5)),
    false,
  );
  assert.throws(() =>
    lock.run(() => {
      throw new Error('released all the same');
    }),
  );
  assert.equal(other.takeWithin(5), true);
  assert.equal(other.tryTake(), true);
});
