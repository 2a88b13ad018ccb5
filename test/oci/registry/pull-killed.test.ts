import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Repository } from '../../../src/composefs/repository/index.js';
import { isOciFsckOk, ociFsck } from '../../../src/oci/fsck/fsck.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { PulledLayer } from '../../../src/oci/import/pull-options.js';
import { layerContentId } from '../../../src/oci/store/identifiers.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { tempDir } from '../../composefs/repository/temp-repository.js';
import { pullAndKill } from './pull-child.js';
import { blobRequests, pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

/**
 * How many pulls to kill; and of what, `DIR:TAG` of an OCI layout. By default an image of a few megabytes, from a
 * registry that is slow enough for the kills to hit its layers.
 */
const { COMPOSEFS_TEST_KILLS = '3', COMPOSEFS_TEST_KILLS_OF: LAYOUT } = process.env;
const KILLS = Number(COMPOSEFS_TEST_KILLS);

async function serveImage(context: TestContext): Promise<{ registry: TestRegistry; reference: string }> {
  const registry = await startRegistry(context);
  if (LAYOUT === undefined) {
    put(registry, 'my/image', sizedImage([3_000_000, 1_000_000, 40_000]));
    return { registry, reference: registry.reference('my/image') };
  }
  const colon = LAYOUT.lastIndexOf(':');
  registry.addLayout('my/image', LAYOUT.slice(0, colon));
  return { registry, reference: registry.reference('my/image', LAYOUT.slice(colon + 1)) };
}

/** Kept parts of layers, and whole layers. */
function storedBytes(repo: Repository, layers: readonly PulledLayer[]): number {
  return layers.reduce((sum, { key, blob: { digest, size } }) => {
    if (repo.hasStream(layerContentId(key)) !== undefined) return sum + size;
    const partial = join(repo.path, '.partial', digest);
    return sum + (existsSync(partial) ? statSync(partial).size : 0);
  }, 0);
}

test(`a pull that was killed is gone on with: ${KILLS} times`, async (context) => {
  const { registry, reference } = await serveImage(context);
  const home = tempDir(context);
  const slow = (): void => {
    if (LAYOUT === undefined) registry.addFault({ type: 'slow', bytesPerSecond: 6_000_000 }, { path: '*/blobs/*' });
  };
  const freshRepository = async (name: string): Promise<string> => {
    const path = join(home, name);
    const { repo } = await Repository.init(path, { insecure: true });
    repo.close();
    return path;
  };
  const options = pullOptions(context);
  const whole = await Repository.open(await freshRepository('whole'));
  const { layers, ...expected } = await pull(whole, reference, 'tag', options);
  whole.close();
  const total = layers.reduce((sum, { blob }) => sum + blob.size, 0);

  // As long as a pull takes at present, so that the kills are spread over it; those that come too late do not count.
  slow();
  let { milliseconds: longest } = await pullAndKill(await freshRepository('measured'), reference, home);
  registry.clearFaults();

  let [killed, resumed, mostAgain, mostLost] = [0, 0, 0, 0];
  for (let round = 0; killed < KILLS; round++) {
    assert.ok(round < 4 * KILLS + 10, 'most kills come too late');
    const path = await freshRepository(`repo-${round}`);
    registry.requests.length = 0;
    slow();
    const delay = longest * Math.random();
    const { isComplete, milliseconds } = await pullAndKill(path, reference, home, delay);
    if (isComplete) longest = Math.min(longest, milliseconds);
    registry.clearFaults();
    const sent = blobRequests(registry).reduce((sum, { bytesSent }) => sum + bytesSent, 0);

    const repo = await Repository.open(path);
    assert.equal(isOciFsckOk(await ociFsck(repo)), true, `fsck after a kill after ${delay} ms`);
    const stored = storedBytes(repo, layers);
    const pulled = await pull(repo, reference, 'tag', options);
    const again = pulled.transfer.fetchedBytes - (total - stored);
    assert.equal(again, 0, `killed after ${delay} ms: ${again} stored bytes were fetched again`);
    assert.equal(pulled.manifestVerity, expected.manifestVerity);
    assert.equal(isOciFsckOk(await ociFsck(repo)), true);
    assert.deepEqual(readdirSync(join(path, '.partial')), []);
    mostAgain = Math.max(mostAgain, again);
    if (!isComplete) {
      killed += 1;
      if (pulled.transfer.resumedBytes > 0) resumed += 1;
      mostLost = Math.max(mostLost, sent - stored);
    }
    repo.close();
    rmSync(path, { recursive: true });
  }
  context.diagnostic(`${killed} killed, ${resumed} of them went on within a layer`);
  context.diagnostic(`at most ${mostAgain} stored bytes were fetched again`);
  context.diagnostic(
    `at most ${mostLost} bytes were on their way to the disk, most of them in the kernel, when the process was killed`,
  );
});
