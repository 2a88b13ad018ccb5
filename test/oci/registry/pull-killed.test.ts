import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Repository } from '../../../src/composefs/repository/index.js';
import { isOciFsckOk, ociFsck } from '../../../src/oci/fsck.js';
import { layerContentId } from '../../../src/oci/identifiers.js';
import { pull } from '../../../src/oci/pull.js';
import { tempDir } from '../../composefs/repository/temp-repository.js';
import { pullAndKill } from './pull-child.js';
import { blobRequests, pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

const { COMPOSEFS_TEST_KILLS = '10' } = process.env;
const KILLS = Number(COMPOSEFS_TEST_KILLS);
/** A pull takes about this long, with the start of its threads; some kills come after its end. */
const LONGEST_MS = 900;

/** Kept parts of layers, and whole layers. */
function storedBytes(repo: Repository, image: ReturnType<typeof sizedImage>): number {
  return image.layers.reduce((sum, { descriptor }, index) => {
    const diffId = image.diffIds[index];
    if (diffId !== undefined && repo.hasStream(layerContentId(diffId)) !== undefined) return sum + descriptor.size;
    const partial = join(repo.path, '.partial', descriptor.digest);
    return sum + (existsSync(partial) ? statSync(partial).size : 0);
  }, 0);
}

test(`a pull that was killed is gone on with: ${KILLS} times`, async (context) => {
  const image = sizedImage([3_000_000, 1_000_000, 40_000]);
  const total = image.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const registry = await startRegistry(context);
  put(registry, 'my/image', image);
  const home = tempDir(context);
  let resumed = 0;
  let mostAgain = 0;
  let mostLost = 0;
  for (let round = 0; round < KILLS; round++) {
    const path = join(home, `repo-${round}`);
    const { repo: fresh } = await Repository.init(path, { insecure: true });
    fresh.close();
    registry.requests.length = 0;
    registry.addFault({ type: 'slow', bytesPerSecond: 6_000_000 }, { path: '*/blobs/*' });
    const delay = Math.round((LONGEST_MS * (round + Math.random())) / KILLS);
    const isComplete = await pullAndKill(path, registry.reference('my/image'), home, delay);
    registry.clearFaults();
    const sent = blobRequests(registry).reduce((sum, { bytesSent }) => sum + bytesSent, 0);

    const repo = await Repository.open(path);
    const stored = storedBytes(repo, image);
    const { transfer } = await pull(repo, registry.reference('my/image'), 'tag', pullOptions(context));
    const again = transfer.fetchedBytes - (total - stored);
    assert.equal(again, 0, `killed after ${delay} ms: ${again} stored bytes were fetched again`);
    assert.equal(isOciFsckOk(await ociFsck(repo)), true);
    assert.deepEqual(readdirSync(join(path, '.partial')), []);
    if (transfer.resumedBytes > 0) resumed += 1;
    mostAgain = Math.max(mostAgain, again);
    if (!isComplete) mostLost = Math.max(mostLost, sent - stored);
    repo.close();
    rmSync(path, { recursive: true });
  }
  context.diagnostic(`${resumed} of ${KILLS} resumed; at most ${mostAgain} stored bytes fetched again`);
  context.diagnostic(`at most ${mostLost} bytes were sent and not yet stored when the process was killed`);
});
