import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ComposefsError } from '../../../../src/errors.js';
import { LayerHelpers } from '../../../../src/oci/import/threads/layer-helpers.js';
import { tempRepository } from '../../../composefs/repository/temp-repository.js';

const EXITED = new ComposefsError('WORKER_EXITED', 'a worker thread that helped with a layer ended unexpectedly');

/** A pool of four threads in which each helper ends as `help` does. */
function poolOf(help: () => Promise<undefined>) {
  const pool = {
    size: 4,
    isIdle: false,
    started: 0,
    run: (): Promise<never> => {
      pool.started++;
      return help() as Promise<never>;
    },
    close: async () => undefined,
  };
  return pool;
}

test('a layer whose helper has died of something says of what, and gets no other', async (context) => {
  const { options } = (await tempRepository(context)).objects;
  const cause = new Error('out of memory');
  const pool = poolOf(async () => {
    await nextTurn();
    throw cause;
  });
  const helpers = new LayerHelpers(1, pool, options, new AbortController().signal);
  const layer = helpers.begin({ zeroCopy: false, mayChange: false });
  const explained = await layer.explain(EXITED);
  assert.ok(explained instanceof ComposefsError);
  assert.deepEqual([explained.code, explained.message, explained.cause], [EXITED.code, EXITED.message, cause]);
  const { started } = pool;
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(pool.started, started);
  layer.end();
});

test('what no helper is to blame for stays as it is', async (context) => {
  const { options } = (await tempRepository(context)).objects;
  const helpers = new LayerHelpers(
    1,
    poolOf(async () => undefined),
    options,
    new AbortController().signal,
  );
  const layer = helpers.begin({ zeroCopy: false, mayChange: false });
  const other = new ComposefsError('DIFF_ID_MISMATCH', 'layer content does not match');
  assert.equal(await layer.explain(other), other);
  layer.end();
  const alone = new LayerHelpers(
    100,
    poolOf(async () => undefined),
    options,
    new AbortController().signal,
  ).begin();
  assert.equal(alone.port, undefined);
  assert.equal(await alone.explain(EXITED), EXITED);
});
