import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFsckOk } from '../../src/composefs/index.js';
import { errorCode, isOciFsckOk, ociFsck } from '../../src/index.js';
import { makeCallFixture } from './call-fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'composefs-oci-test-abort-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const { repo, calls, output, close } = await makeCallFixture(folder, {
  files: 3_000,
  tags: 20,
  largeFile: 8 * 1024 * 1024,
});
after(close);

/** So short that nobody has to stop it. */
const SHORT = [
  'findImage by a config',
  'findKept by an object',
  'pruneTags',
  'tagImage',
  'sync',
  // Whoever walks can stop.
  'ImageFileSystem.walk',
];
/** What calls leave in the directory that they write to, if they are stopped: what they go on with. */
const RESUMABLE = ['new', 'pulled', 'stored'];
/** Milliseconds after which a call is stopped. */
const MOMENTS = [0, 1, 5, 20, 60];

for (const [name, call] of Object.entries(calls)) {
  if (SHORT.includes(name)) continue;
  test(`${name} can be stopped`, async () => {
    await assert.rejects(call({ signal: AbortSignal.abort() }), (error) => errorCode(error) === 'ABORT_ERR');
    assert.deepEqual(leftIn(output), []);
    for (const moment of MOMENTS) {
      const controller = new AbortController();
      const running = call({ signal: controller.signal });
      const outcome = running.then(
        () => 'done',
        (error: unknown) => errorCode(error),
      );
      await sleep(moment);
      controller.abort();
      const result = await outcome;
      assert.match(result, /^(?:done|ABORT_ERR)$/, `after ${moment} ms`);
      if (result !== 'done') assert.deepEqual(leftIn(output), [], `after ${moment} ms`);
      for (const left of readdirSync(output)) rmSync(join(output, left), { recursive: true });
    }
  });
}

test('nothing is damaged, and nothing is lost', async () => {
  assert.ok(isFsckOk(await repo.fsck()));
  assert.ok(isOciFsckOk(await ociFsck(repo)));
});

test('the reason of the signal is what is thrown', async () => {
  const reason = new Error('no more');
  const others: string[] = [];
  for (const [name, call] of Object.entries(calls)) {
    if (SHORT.includes(name)) continue;
    const thrown = await call({ signal: AbortSignal.abort(reason) }).catch((error: unknown) => error);
    // A stream of Node.js has the reason as the cause of its own error.
    const found = thrown instanceof Error && thrown.name === 'AbortError' ? thrown.cause : thrown;
    if (found !== reason) others.push(name);
  }
  assert.deepEqual(others, []);
});

function leftIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => !RESUMABLE.includes(name));
}
