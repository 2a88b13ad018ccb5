import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { type PushOptions, pushImage } from '../../../src/oci/push/push-image.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { tagImage } from '../../../src/oci/store/tags.js';
import { RecordingReporter } from '../../../src/progress.js';
import type { Fault, FaultCondition, TestRegistry, TestRegistryOptions } from '../../../src/testing/index.js';
import { blob, buildArtifact, type TestImage } from '../../support/oci-fixtures.js';
import { failsWith, pulledImage, replaceObject, tempRepository } from '../oci-support.js';
import { noise, pullOptions, put, sizedImage, startRegistry } from '../registry/registry-support.js';

const PLAIN = sizedImage([200_000, 300], { compression: 'none' });
const MANIFEST = PLAIN.manifest.descriptor.digest;
/** The layer of 200,000 bytes and some more. */
const LARGE = PLAIN.layers[0]?.descriptor ?? PLAIN.config.descriptor;

interface Setup {
  readonly registry: TestRegistry;
  readonly repo: Repository;
  readonly image: OciImage;
  push(name?: string, options?: PushOptions): ReturnType<typeof pushImage>;
}

async function setUp(context: TestContext, image = PLAIN, registryOptions: TestRegistryOptions = {}): Promise<Setup> {
  const registry = await startRegistry(context, registryOptions);
  const source = await pulledImage(context, image);
  const { timeouts, retry, registry: config } = pullOptions(context);
  const push = (name = 'team/app', options: PushOptions = {}): ReturnType<typeof pushImage> =>
    pushImage(source.repo, source.image, registry.reference(name), {
      timeouts,
      retry,
      ...options,
      registry: { ...config, ...options.registry },
    });
  return { registry, ...source, push };
}

/** The requests of a kind, by path below the repository. */
function requests(registry: TestRegistry, ...methods: readonly string[]): string[] {
  return registry.requests
    .filter(({ method }) => methods.includes(method))
    .map(({ method, url, status }) => `${method} ${url.replace(/uploads\/[0-9a-f-]{36}/, 'uploads/ID')} ${status}`);
}

/** The bytes that the registry has of the blobs of an image. */
function assertStored(registry: TestRegistry, name: string, image: TestImage): void {
  const repository = registry.contents.get(name);
  for (const { descriptor, bytes } of [image.config, ...image.layers]) {
    assert.deepEqual(repository?.blobs.get(descriptor.digest), bytes);
  }
  const { digest } = image.manifest.descriptor;
  assert.deepEqual(repository?.manifests.get(digest)?.raw, image.manifest.bytes);
}

test('an image arrives with its digest, and nothing is sent twice', async (context) => {
  const { registry, push } = await setUp(context);
  const result = await push();
  assert.deepEqual(result, {
    reference: `${registry.host}/team/app:latest`,
    manifestDigest: MANIFEST,
    pulledDigest: MANIFEST,
    configDigest: PLAIN.config.descriptor.digest,
    blobs: result.blobs,
    referrers: [],
  });
  assert.deepEqual(new Set(result.blobs.map(({ outcome }) => outcome)), new Set(['uploaded']));
  assert.equal(result.blobs.length, 3);
  assertStored(registry, 'team/app', PLAIN);
  assert.equal(registry.contents.get('team/app')?.tags.get('latest'), MANIFEST);
  // The manifest comes when its blobs are there.
  assert.match(requests(registry, 'PUT').at(-1) ?? '', /^PUT \/v2\/team\/app\/manifests\/latest 201$/);

  registry.requests.length = 0;
  const again = await push();
  assert.deepEqual(new Set(again.blobs.map(({ outcome }) => outcome)), new Set(['present']));
  assert.deepEqual(requests(registry, 'POST', 'PATCH'), []);
  assert.equal(requests(registry, 'HEAD').length, 3);
});

test('an image that would get another digest is refused before anybody is asked', async (context) => {
  const gzip = sizedImage([1000], { compression: 'gzip' });
  const { registry, push } = await setUp(context, gzip);
  await assert.rejects(push(), failsWith('DIGEST_WOULD_CHANGE', gzip.manifest.descriptor.digest));
  assert.equal(registry.requests.length, 0);
  const dry = await push('team/app', { recompress: 'zstd', dryRun: true });
  assert.equal(registry.requests.length, 0);
  let known: OciDigest | undefined;
  const onPrepared: PushOptions['onPrepared'] = ({ manifestDigest }) => {
    assert.equal(registry.requests.length, 0);
    known = manifestDigest;
  };
  const { manifestDigest } = await push('team/app', { recompress: 'zstd', onPrepared });
  assert.equal(manifestDigest, dry.manifestDigest);
  assert.equal(known, manifestDigest);
  assert.equal(registry.contents.get('team/app')?.tags.get('latest'), manifestDigest);
});

test('a digest in the reference has to be that of the image', async (context) => {
  const { registry, repo, image } = await setUp(context);
  const other = `sha256:${'0'.repeat(64)}`;
  const { registry: config } = pullOptions(context);
  const to = (digest: string): Promise<unknown> =>
    pushImage(repo, image, `docker://${registry.host}/team/app@${digest}`, { registry: config });
  await assert.rejects(to(other), failsWith('DIGEST_MISMATCH', other, MANIFEST));
  assert.equal(registry.requests.length, 0);
  await to(MANIFEST);
  assert.equal(registry.contents.get('team/app')?.manifests.has(MANIFEST), true);
  assert.deepEqual([...(registry.contents.get('team/app')?.tags.keys() ?? [])], []);
});

test('blobs go in chunks, which say where they belong', async (context) => {
  const { registry, push } = await setUp(context);
  await push('team/app', { chunkSize: 64 * 1024 });
  assertStored(registry, 'team/app', PLAIN);
  const ranges = registry.requests.flatMap(({ method, headers }) =>
    method === 'PATCH' ? [headers['content-range']] : [],
  );
  const size = LARGE.size;
  assert.deepEqual(
    ranges.filter((range) => range !== undefined),
    ['0-65535', '65536-131071', '131072-196607', `196608-${size - 1}`],
  );
});

test('a registry may want larger chunks', async (context) => {
  const { registry, push } = await setUp(context);
  registry.addFault({ type: 'headers', headers: { 'OCI-Chunk-Min-Length': '150000' } }, { method: 'POST' });
  await push('team/app', { chunkSize: 1000 });
  assertStored(registry, 'team/app', PLAIN);
  const sizes = registry.requests
    .filter(({ method }) => method === 'PATCH')
    .map(({ headers }) => headers['content-length']);
  assert.ok(sizes.includes('150000'), String(sizes));
});

test('a registry that takes one chunk only gets the blob in one request', async (context) => {
  const image = sizedImage([200_000], { compression: 'none' });
  const { registry, push } = await setUp(context, image);
  registry.putBlob('team/app', image.config.bytes);
  registry.addFault({ type: 'status', status: 405 }, { method: 'PATCH', nth: 2 });
  await push('team/app', { chunkSize: 150_000 });
  assertStored(registry, 'team/app', image);
  const lengths = registry.requests
    .filter(({ method }) => method === 'PATCH')
    .map(({ headers }) => headers['content-length']);
  const size = image.layers[0]?.descriptor.size ?? 0;
  assert.deepEqual(lengths, ['150000', String(size - 150_000), String(size)]);
});

interface FaultCase {
  readonly name: string;
  readonly fault: Fault;
  readonly condition: FaultCondition;
}

const FAULTS: readonly FaultCase[] = [
  {
    name: 'a connection that ends in a chunk',
    fault: { type: 'cut-upload', afterBytes: 100_000 },
    condition: { method: 'PATCH', nth: 1 },
  },
  {
    name: 'one that ends again and again',
    fault: { type: 'cut-upload', afterBytes: 70_000 },
    condition: { method: 'PATCH', nth: [1, 2, 3] },
  },
  {
    name: 'a chunk of which nothing is heard',
    fault: { type: 'disconnect' },
    condition: { method: 'PATCH', nth: [1, 2] },
  },
  {
    name: 'a server error at the beginning',
    fault: { type: 'status', status: 503 },
    condition: { method: 'POST', nth: [1, 2] },
  },
  {
    name: 'a server error at the end',
    fault: { type: 'status', status: 500 },
    condition: { method: 'PUT', path: '*/uploads/*', nth: [1, 2] },
  },
  {
    name: 'a server error at the manifest',
    fault: { type: 'status', status: 502 },
    condition: { method: 'PUT', path: '*/manifests/*', nth: [1, 2] },
  },
  {
    name: 'too many requests',
    fault: { type: 'status', status: 429, headers: { 'Retry-After': '0' } },
    // Fewer than there are attempts: however requests mix, none of them meets all.
    condition: { nth: [3, 6] },
  },
  { name: 'a wrong offset', fault: { type: 'status', status: 416 }, condition: { method: 'PATCH', nth: 1 } },
  {
    name: 'an upload that is forgotten',
    fault: { type: 'status', status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
    condition: { method: 'GET', path: '*/uploads/*' },
  },
];

for (const { name, fault, condition } of FAULTS) {
  test(`an image arrives whole in spite of ${name}`, async (context) => {
    const { registry, push } = await setUp(context);
    const handle = registry.addFault(fault, condition);
    if (name.includes('forgotten'))
      registry.addFault({ type: 'cut-upload', afterBytes: 1 }, { method: 'PATCH', nth: 1 });
    const progress = new RecordingReporter();
    const { manifestDigest } = await push('team/app', { progress, chunkSize: 180_000 });
    assert.equal(manifestDigest, MANIFEST);
    assert.ok(handle.hits > 0);
    assertStored(registry, 'team/app', PLAIN);
  });
}

test('what has arrived is not sent again', async (context) => {
  const { registry, push } = await setUp(context);
  registry.addFault({ type: 'cut-upload', afterBytes: 150_000 }, { method: 'PATCH', nth: (n) => n === 1 });
  await push();
  const sent = registry.requests
    .filter(({ method, headers }) => method === 'PATCH' && headers['content-range'] !== undefined)
    .map(({ headers }) => headers['content-range']);
  // The largest goes first; what came of it counts.
  assert.deepEqual(sent, [`150000-${LARGE.size - 1}`]);
  assertStored(registry, 'team/app', PLAIN);
});

test('what does not get better ends the push, and its error names blob and registry', async (context) => {
  const { registry, push } = await setUp(context);
  registry.addFault({ type: 'disconnect' }, { method: 'PATCH' });
  await assert.rejects(
    push(),
    failsWith('ECONNRESET', `Pushing to ${registry.host}/team/app:latest`, 'Sending blob sha256:'),
  );
  registry.clearFaults();
  registry.addFault({ type: 'status', status: 403, code: 'DENIED', message: 'not yours' }, { method: 'POST' });
  await assert.rejects(push(), failsWith('DENIED', 'not yours'));
  registry.clearFaults();
  registry.addFault(
    { type: 'status', status: 400, code: 'MANIFEST_INVALID', message: 'no' },
    { path: '*/manifests/*' },
  );
  await assert.rejects(push(), failsWith('UNEXPECTED_STATUS', 'answers with status 400: no'));
});

test('a registry that has understood another manifest is not believed', async (context) => {
  const { registry, push } = await setUp(context);
  const other = `sha256:${'0'.repeat(64)}`;
  registry.addFault({ type: 'headers', headers: { 'Docker-Content-Digest': other } }, { path: '*/manifests/*' });
  await assert.rejects(push(), failsWith('BAD_RESPONSE', `has stored ${other} in place of ${MANIFEST}`));
});

test('credentials are sent to the registry, and the token has the right to push', async (context) => {
  const auth = { type: 'bearer', users: { ann: 'secret' } } as const;
  const { registry, push } = await setUp(context, PLAIN, { auth });
  await assert.rejects(push(), failsWith('UNAUTHORIZED'));
  await push('team/app', { registry: { credentials: { username: 'ann', password: 'secret' } } });
  assertStored(registry, 'team/app', PLAIN);
  const scopes = registry.requests.flatMap(({ url }) => new URL(url, registry.origin).searchParams.getAll('scope'));
  assert.ok(scopes.includes('repository:team/app:pull,push'), String(scopes));
});

test('a token that expires in the middle is renewed', async (context) => {
  const auth = { type: 'bearer', users: { ann: 'secret' } } as const;
  const { registry, push } = await setUp(context, PLAIN, { auth });
  let isFirst = true;
  const progress = {
    report: (event: { readonly type: string }): void => {
      if (event.type === 'progress' && isFirst) registry.expireTokens();
      if (event.type === 'progress') isFirst = false;
    },
  };
  await push('team/app', {
    chunkSize: 50_000,
    progress,
    registry: { credentials: { username: 'ann', password: 'secret' } },
  });
  assertStored(registry, 'team/app', PLAIN);
});

test('blobs that another repository of the registry has are mounted', async (context) => {
  const { registry, repo, push } = await setUp(context);
  put(registry, 'base/image', PLAIN);
  await tagImage(repo, MANIFEST, `docker://${registry.host}/base/image:1`);
  await tagImage(repo, MANIFEST, 'other.example/base/image:1');
  const { blobs } = await push();
  assert.deepEqual(
    blobs.map(({ outcome }) => outcome),
    ['mounted', 'mounted', 'mounted'],
  );
  assert.deepEqual(requests(registry, 'PATCH'), []);
  assertStored(registry, 'team/app', PLAIN);
});

test('what cannot be mounted is sent, and the upload that had begun is given up', async (context) => {
  const { registry, repo, push } = await setUp(context);
  await tagImage(repo, MANIFEST, `${registry.host}/base/image:1`);
  const { blobs } = await push();
  assert.deepEqual(new Set(blobs.map(({ outcome }) => outcome)), new Set(['uploaded']));
  assert.equal(requests(registry, 'DELETE').length, 3);
  assertStored(registry, 'team/app', PLAIN);
});

const SIGNATURE = (subject: TestImage): TestImage =>
  buildArtifact([blob('text/plain', Buffer.from('signed'))], undefined, {
    artifactType: 'application/x-signature',
    subject: subject.manifest.descriptor,
  });

for (const referrersApi of [true, false]) {
  test(`referrers go along, ${referrersApi ? 'with' : 'without'} the referrers API`, async (context) => {
    const registry = await startRegistry(context, { referrersApi });
    const source = await startRegistry(context);
    const signature = SIGNATURE(PLAIN);
    put(source, 'a/b', PLAIN);
    put(source, 'a/b', signature, 'sig');
    const options = pullOptions(context);
    const repo = await tempRepository(context, { algorithm: 'sha256' });
    await pull(repo, source.reference('a/b'), 'a', { ...options, referrers: true });
    const image = OciImage.openRef(repo, 'a');
    const { timeouts, retry, registry: config } = options;
    const push = { timeouts, retry, registry: config, referrers: true };
    const { referrers } = await pushImage(repo, image, registry.reference('c/d'), push);
    assert.deepEqual(referrers, [signature.manifest.descriptor.digest]);
    const again = await tempRepository(context, { algorithm: 'sha256' });
    const pulled = await pull(again, registry.reference('c/d'), 'x', { ...options, referrers: true });
    assert.deepEqual(pulled.referrers.length, 1);
    // A second push adds nothing to the list.
    await pushImage(repo, image, registry.reference('c/d'), push);
    const tag = MANIFEST.replace(':', '-');
    const list = registry.contents.get('c/d')?.tags.get(tag);
    assert.equal(list === undefined, referrersApi);
    const index = list === undefined ? undefined : registry.contents.get('c/d')?.manifests.get(list)?.raw;
    if (index !== undefined) assert.equal(JSON.parse(index.toString()).manifests.length, 1);
  });
}

test('uploads may go on at another host, which does not see the credentials', async (context) => {
  const auth = { type: 'basic', users: { ann: 'secret' } } as const;
  const { registry, push } = await setUp(context, PLAIN, { auth });
  const other = await startRegistry(context, { contents: registry.contents });
  registry.addFault(
    { type: 'redirect', location: (path) => `${other.origin}${path}`, status: 307 },
    { method: 'PATCH' },
  );
  registry.addFault(
    { type: 'redirect', location: (path) => `${other.origin}${path}`, status: 307 },
    { method: 'GET', path: '*/uploads/*' },
  );
  await assert.rejects(push('team/app', { registry: { credentials: { username: 'ann', password: 'secret' } } }));
  const seen = other.requests.filter(({ headers }) => headers['authorization'] !== undefined);
  assert.ok(other.requests.length > 0);
  assert.deepEqual(seen, []);
});

test('a registry that leads nowhere, or loses what it gets, is given up', async (context) => {
  const { registry, push } = await setUp(context);
  registry.addFault({ type: 'headers', headers: { Location: 'file:///etc/passwd' } }, { method: 'POST' });
  await assert.rejects(push(), failsWith('BAD_RESPONSE', 'sends uploads to'));
  registry.clearFaults();
  registry.addFault({ type: 'headers', headers: { Location: undefined } }, { method: 'POST' });
  await assert.rejects(push(), failsWith('BAD_RESPONSE', 'does not say where the upload goes'));
  registry.clearFaults();
  // Every second chunk is refused, and the upload has gone then.
  registry.addFault({ type: 'status', status: 416 }, { method: 'PATCH', nth: (n) => n % 2 === 0 });
  registry.addFault({ type: 'status', status: 404 }, { method: 'GET', path: '*/uploads/*' });
  await assert.rejects(push('team/app', { chunkSize: 1000 }), failsWith('BAD_RESPONSE', 'loses what it has received'));
});

test('a damaged layer does not arrive', async (context) => {
  const { registry, repo, push } = await setUp(context);
  const object = computeVerity('sha256', noise(200_000, 0));
  replaceObject(repo, object, noise(200_000, 9));
  await assert.rejects(push(), failsWith('DIGEST_MISMATCH', LARGE.digest));
  assert.notEqual(registry.contents.get('team/app')?.blobs.has(LARGE.digest), true);
  assert.deepEqual(
    requests(registry, 'PUT').filter((line) => line.includes('manifests')),
    [],
  );
});

test('an abort ends a push in the middle', async (context) => {
  const { registry, push } = await setUp(context);
  const controller = new AbortController();
  const reason = new Error('enough');
  const progress = {
    report: (event: { readonly type: string }): void => {
      if (event.type === 'progress') controller.abort(reason);
    },
  };
  await assert.rejects(push('team/app', { chunkSize: 1000, progress, signal: controller.signal }), reason);
  assert.deepEqual(
    requests(registry, 'PUT').filter((line) => line.includes('manifests')),
    [],
  );
});

test('only a reference to a registry is one', async (context) => {
  const { repo, image } = await pulledImage(context, PLAIN);
  for (const text of ['oci:x', 'quay.io/team/app', '', 'docker:x']) {
    await assert.rejects(pushImage(repo, image, text), failsWith('INVALID_IMAGE_REFERENCE'));
  }
});
