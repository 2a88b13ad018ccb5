import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LayersTogether } from '../../../../src/oci/import/layer/layers-together.js';
import { tempRepository } from '../../../composefs/repository/temp-repository.js';

test('layers that are at work together get the names of their objects after one sync', async (context) => {
  const repo = await tempRepository(context);
  const layers = new LayersTogether(repo.objects.options);
  const order: string[] = [];
  const times = await Promise.all(
    ['a', 'b'].map((name) =>
      layers.run(async (whenNamed) => {
        await nextTurn();
        order.push(`${name} stored`);
        const named = await whenNamed();
        order.push(`${name} named`);
        return named;
      }),
    ),
  );
  assert.deepEqual(order, ['a stored', 'b stored', 'a named', 'b named']);
  assert.equal(times[0], times[1]);
  layers.close();
});

test('a layer may begin after one that has failed while no other was at work', async (context) => {
  const repo = await tempRepository(context);
  const layers = new LayersTogether(repo.objects.options);
  const failure = new Error('no such blob');
  await assert.rejects(
    layers.run(async () => {
      throw failure;
    }),
    failure,
  );
  const { namedAt, syncedAt } = await layers.run((whenNamed) => whenNamed());
  assert.ok(namedAt <= syncedAt);
  layers.close();
});
