import assert from 'node:assert/strict';
import { lutimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pruneTags } from '../../../src/oci/account/prune-tags.js';
import { listRefs, tagImage } from '../../../src/oci/store/tags.js';
import { spdxArtifact } from '../../support/oci-fixtures.js';
import { storeArtifact, tempRepository } from '../oci-support.js';

const DAY = 24 * 3600 * 1000;

test('tags are removed by the time at which they were given', async (context) => {
  const repo = await tempRepository(context);
  const { digest } = await storeArtifact(repo, spdxArtifact());
  const now = 1_700_000_000_000;
  for (const days of [1, 2, 3, 30]) {
    await tagImage(repo, digest, `of/day-${days}`);
    const seconds = (now - days * DAY) / 1000;
    lutimesSync(join(repo.path, `streams/refs/oci/of%2Fday-${days}`), seconds, seconds);
  }
  const tags = (): string[] => listRefs(repo).map(([tag]) => tag);
  const pruned = async (days: number, options: object = {}): Promise<string[]> =>
    (await pruneTags(repo, { olderThan: days * DAY, now, ...options })).map(({ tag }) => tag);

  assert.deepEqual(await pruned(2, { dryRun: true }), ['of/day-30', 'of/day-3']);
  assert.deepEqual(await pruned(0, { dryRun: true, keep: 3 }), ['of/day-30']);
  assert.deepEqual(await pruned(31), []);
  assert.deepEqual(tags(), ['of/day-1', 'of/day-2', 'of/day-3', 'of/day-30']);
  assert.deepEqual(await pruneTags(repo, { olderThan: 3 * DAY, now }), [
    { tag: 'of/day-30', manifestDigest: digest, taggedAt: now - 30 * DAY },
  ]);
  assert.deepEqual(await pruned(1.5, { keep: 2 }), ['of/day-3']);
  assert.deepEqual(tags(), ['of/day-1', 'of/day-2']);
});
