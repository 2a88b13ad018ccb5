import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { isOciFsckOk, ociFsck } from '../../../src/oci/fsck/fsck.js';
import { pull } from '../../../src/oci/import/pull.js';
import { resolveRef } from '../../../src/oci/store/tags.js';
import type { Fault } from '../../../src/testing/index.js';
import { tempRepository } from '../../composefs/repository/temp-repository.js';
import { randomNumbers } from '../../support/random.js';
import { pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

/** Requests to be answered, most of them well. */
const { COMPOSEFS_TEST_FUZZ = '60' } = process.env;
const REQUESTS = Number(COMPOSEFS_TEST_FUZZ);

test(`${REQUESTS} requests with faults at random: the right image or an error that says why`, async (context) => {
  const seed = Date.now() % 1_000_000;
  const numbers = randomNumbers(seed);
  const random = (): number => numbers(2 ** 32) / 2 ** 32;
  context.diagnostic(`seed ${seed}`);
  const image = sizedImage([400_000, 200_000, 5000]);
  const registry = await startRegistry(context);
  const storage = await startRegistry(context, { contents: registry.contents, auth: { type: 'refuse-credentials' } });
  put(registry, 'my/image', image);
  const clean = await tempRepository(context);
  const options = pullOptions(context, { timeouts: { headersMs: 300, idleMs: 300 } });
  const expected = await pull(clean, registry.reference('my/image'), 'tag', options);

  const faults: Fault[] = [
    ...[400, 401, 403, 404, 408, 416, 429, 500, 502, 503, 504].map((status) => ({ type: 'status', status }) as const),
    { type: 'status', status: 429, headers: { 'Retry-After': '0' } },
    { type: 'status', status: 200, body: 'not what was asked for' },
    { type: 'disconnect' },
    ...[0, 1, 1000, 70_000, 150_000, 399_999].map((afterBytes) => ({ type: 'cut', afterBytes }) as const),
    ...[0, 100_000].map((afterBytes) => ({ type: 'stall', afterBytes }) as const),
    { type: 'cut', afterBytes: 90_000, reset: true },
    { type: 'slow', bytesPerSecond: 2_000_000 },
    { type: 'corrupt' },
    { type: 'corrupt', offset: 0 },
    { type: 'ignore-range' },
    { type: 'redirect', location: (path) => storage.origin + path },
    { type: 'redirect', location: 'http://127.0.0.1:1/' },
    { type: 'headers', headers: { 'Content-Range': 'bytes 0-1/2' } },
    { type: 'headers', headers: { 'Content-Range': undefined } },
    { type: 'headers', headers: { 'Content-Length': undefined } },
    { type: 'headers', headers: { 'Content-Type': 'text/html' } },
    { type: 'headers', headers: { 'Docker-Content-Digest': `sha256:${'1'.repeat(64)}` } },
  ];
  for (const fault of faults) registry.addFault(fault, { nth: () => random() < 0.6 / faults.length });

  let [good, failed] = [0, 0];
  registry.requests.length = 0;
  let repo = await tempRepository(context);
  while (registry.requests.length < REQUESTS) {
    try {
      const pulled = await pull(repo, registry.reference('my/image'), 'tag', options);
      assert.equal(pulled.manifestVerity, expected.manifestVerity);
      assert.equal(pulled.configVerity, expected.configVerity);
      assert.equal(isOciFsckOk(await ociFsck(repo)), true);
      good += 1;
      repo = await tempRepository(context);
    } catch (error) {
      assert.ok(error instanceof ComposefsError, String(error));
      assert.notEqual(error.code, 'INTERNAL', fullMessage(error));
      assert.ok(fullMessage(error).length > 40);
      assert.throws(() => resolveRef(repo, 'tag'));
      failed += 1;
    }
  }
  const hit = registry.requests.filter((request) => request.faults.length > 0).length;
  context.diagnostic(`${registry.requests.length} requests, ${hit} with faults: ${good} images, ${failed} errors`);
});
