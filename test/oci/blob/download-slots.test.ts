import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { DownloadSlots, type RunningTransfer } from '../../../src/oci/blob/download-slots.js';

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

test('any number of transfers wait with one listener on their signal, and leave none', async () => {
  const { signal } = new AbortController();
  const slots = new DownloadSlots({ total: 2, perHost: 2 });
  const most: number[] = [];
  const job = (): Promise<void> =>
    slots.run(
      'a',
      async () => {
        most.push(getEventListeners(signal, 'abort').length);
        await setTimeout(1);
      },
      signal,
    );
  await Promise.all(Array.from({ length: 20 }, job));
  assert.equal(most.length, 20);
  assert.equal(Math.max(...most), 1);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('an abort ends all that wait with its signal, and nothing else', async () => {
  const slots = new DownloadSlots({ total: 1, perHost: 1 });
  const { promise: gate, resolve: open } = withResolvers();
  const first = slots.run('a', () => gate);
  const controller = new AbortController();
  const aborted = [1, 2, 3].map(() => slots.run('a', async () => assert.fail('was aborted'), controller.signal));
  const other = slots.run('a', async () => 'done', new AbortController().signal);
  controller.abort(new Error('stop'));
  for (const waiting of aborted) await assert.rejects(waiting, /stop/);
  open();
  await first;
  assert.equal(await other, 'done');
});

test('one more transfer begins while others end, and another one for each that has arrived', async () => {
  const slots = new DownloadSlots({ total: 4, perHost: 2 });
  const begun: RunningTransfer[] = [];
  const { promise: gate, resolve: open } = withResolvers();
  const all = Array.from({ length: 20 }, () =>
    slots.run('a', async (transfer) => {
      begun.push(transfer);
      await gate;
    }),
  );
  const counts: number[] = [];
  const note = async (action: () => void): Promise<void> => {
    action();
    await setTimeout(0);
    counts.push(begun.length);
  };
  await note(() => undefined);
  await note(() => begun[0]?.ending());
  // Of two that end one counts.
  await note(() => begun[1]?.ending());
  await note(() => begun[1]?.ending());
  await note(() => begun[0]?.arrived());
  await note(() => begun[0]?.arrived());
  await note(() => begun[1]?.arrived());
  assert.deepEqual(counts, [2, 3, 3, 3, 4, 4, 4]);
  await note(() => begun[2]?.arrived());
  assert.deepEqual(counts.at(-1), 5);
  open();
  await Promise.all(all);
  assert.equal(begun.length, 20);
});

test('what has arrived and is not done with is bounded', async () => {
  const slots = new DownloadSlots({ total: 2, perHost: 2 });
  let begun = 0;
  const { promise: gate, resolve: open } = withResolvers();
  const all = Array.from({ length: 10 }, () =>
    slots.run('a', async ({ arrived }) => {
      begun++;
      arrived();
      await gate;
    }),
  );
  await setTimeout(0);
  assert.equal(begun, 4);
  open();
  await Promise.all(all);
  assert.equal(begun, 10);
});

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
