import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { DownloadSlots } from '../../../src/oci/blob/download-slots.js';

test('no more transfers run than in all and to one host, and a busy host holds up no other', async () => {
  const slots = new DownloadSlots({ total: 3, perHost: 2 });
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const started: string[] = [];
  const note = (key: string, change: number): void => {
    const now = (running.get(key) ?? 0) + change;
    running.set(key, now);
    most.set(key, Math.max(most.get(key) ?? 0, now));
  };
  const job = (host: string): Promise<void> =>
    slots.run(host, async () => {
      started.push(host);
      for (const key of ['all', host]) note(key, 1);
      await setTimeout(5);
      for (const key of ['all', host]) note(key, -1);
    });
  await Promise.all(['a', 'a', 'a', 'a', 'b', 'b', 'c'].map(job));
  assert.deepEqual(Object.fromEntries(most), { all: 3, a: 2, b: 1, c: 1 });
  assert.deepEqual(started.slice(0, 3), ['a', 'a', 'b']);
});

test('a failure gives its slot back, and who waits can be aborted', async () => {
  const slots = new DownloadSlots({ total: 1, perHost: 1 });
  await assert.rejects(
    slots.run('a', () => Promise.reject(new Error('no'))),
    /no/,
  );
  const controller = new AbortController();
  let finish: () => void = () => undefined;
  const first = slots.run('a', () => new Promise<void>((resolve) => (finish = resolve)));
  const waiting = slots.run('b', async () => assert.fail('was aborted'), controller.signal);
  controller.abort(new Error('stop'));
  await assert.rejects(waiting, /stop/);
  finish();
  await first;
  assert.equal(await slots.run('b', async () => 1), 1);
  assert.throws(() => new DownloadSlots({ total: 0, perHost: 1 }), RangeError);
});
