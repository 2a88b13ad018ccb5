import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { ComposefsError, findCause, fullMessage } from '../../../src/errors.js';
import type { Transfer } from '../../../src/oci/blob/layer-blob.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { PullOptions, PullResult } from '../../../src/oci/import/pull-options.js';
import type { Descriptor } from '../../../src/oci/model/descriptor.js';
import { type PartialStoreOptions, partialStoreOptions } from '../../../src/oci/registry/partial-store.js';
import { RegistrySource } from '../../../src/oci/sources/registry-source.js';
import { resolveRef } from '../../../src/oci/store/tags.js';
import { type ProgressEvent, RecordingReporter } from '../../../src/progress.js';
import type { Fault, FaultCondition, TestRegistry } from '../../../src/testing/index.js';
import { tempRepository } from '../../composefs/repository/temp-repository.js';
import { rejectionOf } from '../../support/failures.js';
import { fetchLayer } from '../../support/layer-blobs.js';
import type { TestImage } from '../../support/oci-fixtures.js';
import { blobRequests, pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

const LAYER_SIZE = 1_500_000;

interface Setup {
  readonly image: TestImage;
  readonly layer: TestImage['layers'][number];
  readonly registry: TestRegistry;
  readonly repo: Repository;
  /** Path of the large layer, for faults. */
  readonly layerPath: string;
  readonly pull: (options?: PullOptions) => Promise<PullResult>;
  /** The layer alone, without a repository to store it in; it is kept beside the repository's objects, too. */
  readonly fetch: (options?: PullOptions) => Promise<{ transfer: Transfer }>;
  readonly fault: (fault: Fault, condition?: FaultCondition) => void;
  readonly ranges: () => (string | string[] | undefined)[];
  readonly partialPath: string;
}

async function setup(context: TestContext): Promise<Setup> {
  const image = sizedImage([LAYER_SIZE]);
  const [layer] = image.layers;
  assert.ok(layer !== undefined);
  const registry = await startRegistry(context);
  put(registry, 'my/image', image);
  const repo = await tempRepository(context);
  const options = pullOptions(context);
  const layerPath = `/v2/my/image/blobs/${layer.descriptor.digest}`;
  return {
    image,
    layer,
    registry,
    repo,
    layerPath,
    pull: (more = {}) => pull(repo, registry.reference('my/image'), 'tag', { ...options, ...more }),
    fetch: (more = {}) =>
      fetchAlone(
        registry.reference('my/image'),
        layer.descriptor,
        { ...options, ...more },
        partialStoreOptions(repo.root),
      ),
    fault: (fault, condition = {}) => void registry.addFault(fault, { path: layerPath, ...condition }),
    ranges: () => registry.requests.filter(({ url }) => url === layerPath).map(({ headers }) => headers['range']),
    partialPath: join(repo.path, '.partial', layer.descriptor.digest),
  };
}

async function fetchAlone(
  reference: string,
  descriptor: Descriptor,
  { registry: config, timeouts, retry }: PullOptions,
  partial: PartialStoreOptions,
): Promise<{ transfer: Transfer }> {
  const source = await RegistrySource.open(reference, { config, timeouts, retry, partial });
  try {
    return { transfer: await fetchLayer(source, descriptor) };
  } finally {
    await source.close();
  }
}

function hint(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (error instanceof ComposefsError && error.hint !== undefined) return error.hint;
  return cause === undefined ? undefined : hint(cause);
}

function isTagged(repo: Repository): boolean {
  try {
    resolveRef(repo, 'tag');
    return true;
  } catch {
    return false;
  }
}

test('a connection that is cut again and again is gone on with where it stopped', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 300_000, reset: true });
  const { transfer } = await it.pull();
  const size = it.layer.bytes.length;
  assert.deepEqual(transfer, { fetchedBytes: size, resumedBytes: 0 });
  const starts = it.ranges().map((range) => Number(/^bytes=(\d+)-$/.exec(String(range))?.[1] ?? 0));
  assert.ok(starts.length >= 5, String(starts));
  assert.deepEqual(
    starts,
    [...starts].sort((a, b) => a - b),
  );
  assert.equal(existsSync(it.partialPath), false);
});

test('a server that ignores ranges sends the blob again', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 500_000 }, { nth: 1 });
  it.fault({ type: 'ignore-range' });
  const { transfer } = await it.fetch();
  assert.equal(transfer.fetchedBytes, it.layer.bytes.length);
  assert.equal(it.ranges().length, 2);
});

for (const [what, headers] of [
  ['Content-Range of other bytes', { 'Content-Range': 'bytes 0-9/10' }],
  ['Content-Range that is none', { 'Content-Range': 'items 1' }],
  ['no Content-Range', { 'Content-Range': undefined }],
] as const) {
  test(`a 206 with ${what} is not used`, async (context) => {
    const it = await setup(context);
    it.fault({ type: 'cut', afterBytes: 500_000 }, { nth: 1 });
    it.fault({ type: 'headers', headers }, { hasRange: true });
    const { transfer } = await it.fetch();
    assert.equal(transfer.fetchedBytes, it.layer.bytes.length);
    assert.equal(it.ranges().length, 3);
    assert.equal(it.ranges()[2], undefined);
  });
}

test('Content-Encoding says nothing about a blob, in parts or as a whole', async (context) => {
  for (const encoding of ['gzip', 'x-gzip', 'aws-chunked', 'utf-8', 'none', '']) {
    const it = await setup(context);
    it.fault({ type: 'cut', afterBytes: 500_000 }, { nth: 1 });
    it.fault({ type: 'headers', headers: { 'Content-Encoding': encoding } });
    const { transfer } = await it.fetch();
    assert.equal(transfer.fetchedBytes, it.layer.bytes.length);
    assert.deepEqual(it.ranges(), [undefined, 'bytes=500000-']);
  }
});

test('a layer that was compressed on the way is decompressed, and not beyond its size', async (context) => {
  const it = await setup(context);
  const headers = { 'Content-Encoding': 'gzip' };
  it.fault({ type: 'status', status: 200, headers, body: gzipSync(it.layer.bytes) });
  const { transfer } = await it.fetch();
  assert.equal(transfer.fetchedBytes, it.layer.bytes.length);
  it.registry.clearFaults();
  for (const [body, code] of [
    [gzipSync(Buffer.alloc(64 << 20)), 'BLOB_SIZE_MISMATCH'],
    [gzipSync(it.layer.bytes).subarray(0, -9), 'COMPRESSED_DATA_TRUNCATED'],
  ] as const) {
    const other = await setup(context);
    other.fault({ type: 'status', status: 200, headers, body });
    assert.equal((await rejectionOf(other.fetch())).code, code);
  }
});

test('a 206 of encoded bytes, of which nobody knows how many there are, is not used', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 500_000 }, { nth: 1 });
  const range = `bytes 500000-${it.layer.bytes.length - 1}/*`;
  it.fault({ type: 'headers', headers: { 'Content-Encoding': 'gzip', 'Content-Range': range } }, { hasRange: true });
  await it.fetch();
  assert.deepEqual(it.ranges(), [undefined, 'bytes=500000-', undefined]);
});

for (const status of [400, 405, 406, 412, 416, 500, 501]) {
  test(`a server that answers a range with ${status} is asked for the whole`, async (context) => {
    const it = await setup(context);
    it.fault({ type: 'cut', afterBytes: 500_000 }, { nth: 1 });
    it.fault({ type: 'status', status }, { hasRange: true });
    const { transfer } = await it.fetch();
    assert.equal(transfer.fetchedBytes, it.layer.bytes.length);
    assert.deepEqual(it.ranges(), [undefined, 'bytes=500000-', undefined]);
  });
}

test('a 206 whose total is another is not used', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 300_000 }, { nth: 1 });
  const size = it.layer.bytes.length;
  it.fault(
    { type: 'headers', headers: { 'Content-Range': `bytes 300000-${size - 1}/${size + 1}` } },
    { hasRange: true },
  );
  await it.fetch();
  assert.equal(it.ranges().at(-1), undefined);
});

test('a body that stalls is left after the time for it', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'stall', afterBytes: 400_000 }, { nth: 1 });
  const { transfer } = await it.fetch();
  assert.equal(transfer.fetchedBytes, it.layer.bytes.length);
  assert.equal(it.ranges()[1], 'bytes=400000-');
});

test('a server that does not answer is asked again', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'slow', delayMs: 5000 }, { nth: 1 });
  await it.fetch({ timeouts: { headersMs: 200 } });
  assert.equal(it.ranges().length, 2);
});

test('wrong bytes are refused, and not kept', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'corrupt' });
  const error = await rejectionOf(it.pull());
  assert.match(
    fullMessage(error),
    /^Unable to pull .*: Failed to pull image content for manifest .*: Failed to import layer sha256:/,
  );
  assert.equal(existsSync(it.partialPath), false);
  assert.equal(isTagged(it.repo), false);
  it.registry.clearFaults();
  await it.pull();
  assert.equal(isTagged(it.repo), true);
});

test('of a part that is of another place it is said that the parts may not fit', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 500_000 }, { nth: 1 });
  const { bytes } = it.layer;
  const headers = { 'Content-Range': `bytes 500000-${bytes.length - 1}/${bytes.length}` };
  it.fault({ type: 'status', status: 206, headers, body: bytes.subarray(0, -500_000) }, { hasRange: true });
  const error = await rejectionOf(it.fetch());
  assert.equal(error.code, 'BLOB_DIGEST_MISMATCH');
  assert.match(error.message, /^Blob sha256:.* came from 127\.0\.0\.1:\d+ in 2 parts, which may not fit together$/);
  assert.equal(existsSync(it.partialPath), false);
});

test('wrong bytes are a digest mismatch', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'corrupt' });
  assert.equal((await rejectionOf(it.fetch())).code, 'BLOB_DIGEST_MISMATCH');
});

test('kept bytes that are wrong are fetched again', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 500_000 });
  it.fault({ type: 'status', status: 404 }, { hasRange: true });
  assert.equal((await rejectionOf(it.pull())).code, 'NOT_FOUND');
  assert.equal(statSync(it.partialPath).size, 500_000);
  const kept = readFileSync(it.partialPath);
  kept[250_000] = (kept[250_000] ?? 0) ^ 1;
  writeFileSync(it.partialPath, kept);
  it.registry.clearFaults();
  const { transfer } = await it.pull();
  assert.equal(transfer.resumedBytes, 0);
  assert.ok(transfer.fetchedBytes >= it.layer.bytes.length);
  assert.equal(existsSync(it.partialPath), false);
});

test('what one pull has received the next one does not fetch', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 500_000 });
  it.fault({ type: 'status', status: 403 }, { hasRange: true });
  await rejectionOf(it.pull());
  it.registry.clearFaults();
  it.registry.requests.length = 0;
  const { transfer } = await it.pull();
  assert.deepEqual(transfer, { fetchedBytes: it.layer.bytes.length - 500_000, resumedBytes: 500_000 });
  assert.deepEqual(it.ranges(), ['bytes=500000-']);
});

test('a layer that is kept as a whole is not fetched at all', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'cut', afterBytes: 70_000 });
  it.fault({ type: 'status', status: 403 }, { hasRange: true });
  await rejectionOf(it.pull());
  writeFileSync(it.partialPath, it.layer.bytes);
  it.registry.requests.length = 0;
  const { transfer } = await it.pull();
  assert.deepEqual(transfer, { fetchedBytes: 0, resumedBytes: it.layer.bytes.length });
  assert.deepEqual(it.ranges(), []);
});

test('a body that is longer or shorter than the descriptor says is refused', async (context) => {
  for (const change of [1, -1]) {
    const it = await setup(context);
    const { digest } = it.layer.descriptor;
    const bytes = change > 0 ? Buffer.concat([it.layer.bytes, Buffer.alloc(1)]) : it.layer.bytes.subarray(0, -1);
    it.registry.putBlob('my/image', bytes, digest);
    const error = await rejectionOf(it.fetch());
    assert.equal(error.code, 'BLOB_SIZE_MISMATCH');
    // Without the header that says so.
    it.fault({ type: 'headers', headers: { 'Content-Length': undefined } });
    assert.ok(['BLOB_SIZE_MISMATCH', 'ECONNRESET'].includes((await rejectionOf(it.fetch())).code));
  }
});

test('a server in trouble is asked again', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'status', status: 500 }, { nth: 1 });
  it.fault({ type: 'status', status: 503 }, { nth: 2 });
  it.fault({ type: 'disconnect' }, { nth: 3 });
  const progress = new RecordingReporter();
  await it.pull({ progress });
  const messages = progress.events.filter((event) => event.type === 'message').map(({ text }) => text);
  assert.equal(messages.filter((text) => /status 50[03].*trying again in 0\.0 s$/.test(text)).length, 2);
});

test('Retry-After is honoured', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'status', status: 429, headers: { 'Retry-After': '1' } }, { nth: 1 });
  const start = performance.now();
  await it.fetch();
  assert.ok(performance.now() - start >= 1000);
  assert.equal(it.ranges().length, 2);
});

for (const [what, fault, code, hinted] of [
  [
    'a spent quota',
    { status: 429, code: 'TOOMANYREQUESTS', message: 'pull rate limit' },
    'TOOMANYREQUESTS',
    /oci login/,
  ],
  ['a quota that lasts', { status: 429, headers: { 'Retry-After': '86400' } }, 'TOOMANYREQUESTS', /oci login/],
  ['403', { status: 403, code: 'DENIED', message: 'no' }, 'DENIED', /log in/],
  ['404', { status: 404, code: 'BLOB_UNKNOWN', message: 'gone' }, 'BLOB_UNKNOWN', undefined],
  ['410', { status: 410 }, 'UNEXPECTED_STATUS', undefined],
  ['401 without a challenge', { status: 401 }, 'UNAUTHORIZED', /cfsctl oci login 127\.0\.0\.1/],
] as const) {
  test(`after ${what} there is no other request`, async (context) => {
    const it = await setup(context);
    it.fault({ type: 'status', ...fault });
    const error = await rejectionOf(it.fetch());
    assert.equal(error.code, code);
    assert.equal(it.ranges().length, 1);
    if (hinted !== undefined) assert.match(hint(error) ?? '', hinted);
  });
}

test('a server that stays in trouble is given up after so many requests', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'status', status: 502, body: '<html>Bad gateway</html>' });
  const error = await rejectionOf(it.fetch());
  assert.equal(error.code, 'REGISTRY_FAILED');
  assert.equal(it.ranges().length, 4);
});

test('what a server says is shown without control characters, and not at any length', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'status', status: 403, code: 'DENIED', message: `\u001b[31mred\n${'x'.repeat(10_000)}` });
  const message = fullMessage(await rejectionOf(it.pull()));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  assert.doesNotMatch(message, /[\u0000-\u001f]/);
  assert.ok(message.length < 1000);
});

test('an aborted pull ends at once, and the next one goes on', async (context) => {
  const it = await setup(context);
  it.fault({ type: 'slow', bytesPerSecond: 1_000_000 }, { nth: 1 });
  const controller = new AbortController();
  const report = (event: ProgressEvent): void => {
    if (event.type === 'progress' && event.fetched > 0) controller.abort(new Error('enough'));
  };
  const pulling = it.pull({ signal: controller.signal, progress: { report } });
  await assert.rejects(pulling, /enough/);
  assert.equal(isTagged(it.repo), false);
  assert.deepEqual(readdirSync(join(it.repo.path, '.partial')), [it.layer.descriptor.digest]);
  const { transfer } = await it.pull();
  assert.ok(transfer.resumedBytes > 0);
  assert.ok(transfer.fetchedBytes > 0);
  assert.equal(transfer.fetchedBytes + transfer.resumedBytes, it.layer.bytes.length);
});

test('an aborted pull does not wait for a server that is silent', { timeout: 60_000 }, async (context) => {
  for (const fault of [
    { type: 'slow', delayMs: 120_000 },
    { type: 'stall', afterBytes: 100_000 },
  ] as const) {
    const it = await setup(context);
    it.fault(fault);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 500);
    const timeouts = { headersMs: 600_000, idleMs: 600_000 };
    await assert.rejects(it.pull({ signal: controller.signal, timeouts }), /enough/);
  }
});

test('an aborted pull does not wait for the manifest either', async (context) => {
  const it = await setup(context);
  it.registry.addFault({ type: 'slow', delayMs: 30_000 }, { path: '*/manifests/*' });
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 100);
  await assert.rejects(it.pull({ signal: controller.signal, timeouts: { headersMs: 60_000 } }), /enough/);
});

test('two pulls of one image at once', async (context) => {
  const it = await setup(context);
  const [one, two] = await Promise.all([it.pull(), it.pull()]);
  assert.equal(one.manifestVerity, two.manifestVerity);
  assert.equal(existsSync(it.partialPath), false);
});

test('a manifest that is not what was asked for is refused', async (context) => {
  const it = await setup(context);
  const { digest } = it.image.manifest.descriptor;
  const options = pullOptions(context);
  const byDigest = it.registry.reference('my/image', digest);
  it.registry.addFault({ type: 'corrupt' }, { path: '*/manifests/*' });
  assert.equal((await rejectionOf(pull(it.repo, byDigest, 'x', options))).code, 'BLOB_DIGEST_MISMATCH');
  // The registry itself says what the digest should be.
  assert.equal((await rejectionOf(it.pull())).code, 'BLOB_DIGEST_MISMATCH');
  it.registry.clearFaults();
  const headers = { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` };
  it.registry.addFault({ type: 'headers', headers }, { path: '*/manifests/*' });
  assert.equal((await rejectionOf(it.pull())).code, 'BLOB_DIGEST_MISMATCH');
  // The bytes are those that were asked for, whatever the registry says.
  await pull(it.repo, byDigest, 'x', options);
  it.registry.clearFaults();
  it.registry.addFault({ type: 'headers', headers: { 'Docker-Content-Digest': undefined } });
  await pull(it.repo, byDigest, 'x', options);
  assert.ok(blobRequests(it.registry).length > 0);
});

test('a manifest or token of any size is not read to its end', async (context) => {
  const it = await setup(context);
  const body = Buffer.alloc(5 << 20, 0x20);
  it.registry.addFault({ type: 'status', status: 200, body }, { path: '*/manifests/*' });
  const error = await rejectionOf(it.pull());
  assert.equal(error.code, 'RESPONSE_TOO_LARGE');
});

test('an unknown tag is said to be so', async (context) => {
  const it = await setup(context);
  const error = await rejectionOf(pull(it.repo, it.registry.reference('my/image', 'none'), 'x', pullOptions(context)));
  assert.equal(error.code, 'MANIFEST_UNKNOWN');
  assert.equal(findCause(error, ComposefsError)?.code, 'MANIFEST_UNKNOWN');
});
