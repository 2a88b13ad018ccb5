import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TerminationLock } from '../../src/threads/termination-lock.js';
import { Thread } from '../../src/threads/thread.js';
import { nextMessage } from './next-message.js';

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
  const reply = nextMessage<string>(thread);
  thread.post('one');
  assert.equal(await reply, 'echo one');
  await thread.end();
  await thread.end();
  assert.deepEqual({ exits, statuses }, { exits: 1, statuses: [0] });
});

test('a thread that does not listen is ended all the same', async () => {
  const thread = new Thread(new URL('./echo-thread.js', import.meta.url), { data: { prefix: 'echo' } });
  thread.post('sleep');
  assert.equal(await nextMessage<string>(thread), 'echo sleep');
  const statuses: number[] = [];
  thread.onExit((status) => statuses.push(status));
  await thread.end();
  assert.deepEqual(statuses, [1]);
});

test('a lock is held at the beginning, and taken for good when nothing is under way', () => {
  const lock = new TerminationLock();
  const other = new TerminationLock(lock.buffer);
  assert.deepEqual([lock.isHeld, other.tryTake(), other.takeWithin(5)], [true, false, false]);
  lock.hold();
  lock.release();
  assert.deepEqual([lock.isHeld, other.tryTake()], [true, false]);
  lock.release();
  assert.equal(lock.isHeld, false);
  lock.hold();
  assert.equal(other.tryTake(), false);
  lock.release();
  assert.deepEqual([other.takeWithin(5), other.tryTake()], [true, true]);
});

test('a thread that is ended while it starts leaves no file open', async () => {
  const count = (): number => readdirSync('/proc/self/fd').length;
  const before = count();
  for (let round = 0; round < 6; round++) {
    const thread = new Thread(new URL('./echo-thread.js', import.meta.url), { data: { prefix: 'echo' } });
    await sleep(round * 4);
    await thread.end();
  }
  assert.equal(count(), before);
});
