import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DelayedProgress } from '../../../src/cli/progress/delayed.js';

test('nothing is shown of the first second, and then what goes on', () => {
  let now = 0;
  const written: string[] = [];
  const stream = { isTTY: true, columns: 80, rows: 24, write: (text: string) => written.push(text) };
  const progress = new DelayedProgress(stream, () => now);
  progress.report({ type: 'started', id: 'first', total: 10, unit: 'items' });
  progress.report({ type: 'done', id: 'first', transferred: 10 });
  progress.report({ type: 'started', id: 'second', total: 100, unit: 'items' });
  progress.report({ type: 'progress', id: 'second', fetched: 40, total: 100 });
  now = 900;
  progress.report({ type: 'progress', id: 'second', fetched: 50, total: 100 });
  assert.deepEqual(written, []);
  now = 1100;
  progress.report({ type: 'progress', id: 'second', fetched: 60, total: 100 });
  progress.finish();
  const text = written.join('');
  assert.match(text, /second/);
  assert.doesNotMatch(text, /first/);
});

test('a command that ends before writes nothing', () => {
  const written: string[] = [];
  const progress = new DelayedProgress({ isTTY: true, write: (text) => written.push(text) }, () => 0);
  progress.report({ type: 'started', id: 'x', unit: 'items' });
  progress.finish();
  assert.deepEqual(written, []);
});
