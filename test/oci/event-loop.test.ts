import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { longestTurn } from '../support/longest-turn.js';
import { makeCallFixture } from './call-fixture.js';

/**
 * No call keeps other work of its thread waiting for longer than this. What counts is the processor time of the thread
 * between two of its turns: a machine that is busy with something else takes longer, but not more of that.
 */
const LIMIT_MS = 20;
/** A collection of garbage, or code that is compiled, may come in between. */
const ATTEMPTS = 5;

const folder = mkdtempSync(join(tmpdir(), 'composefs-oci-test-event-loop-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const { calls, close } = await makeCallFixture(folder, { files: 12_000, tags: 300, largeFile: 64 * 1024 * 1024 });
after(close);

for (const [name, call] of Object.entries(calls)) {
  test(`${name} leaves room for others`, (t) => assertShort(t, () => call({})));
}

async function assertShort(t: { diagnostic(text: string): void }, call: () => Promise<unknown>): Promise<void> {
  const turns: number[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    turns.push((await longestTurn(call)).cpu);
    if ((turns.at(-1) ?? 0) < LIMIT_MS) break;
  }
  t.diagnostic(`longest turn: ${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`);
  assert.ok(
    Math.min(...turns) < LIMIT_MS,
    `the thread was busy for ${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`,
  );
}
