import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256ContentDigest } from '../../src/oci/model/digest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/model/media-types.js';
import { type Fault, type FaultCondition, TestRegistry, type TestRegistryOptions } from '../../src/testing/index.js';
import { fxOci, LayoutBuilder, spdxArtifact, type TestImage } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';

const DATA = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
const DIGEST = sha256ContentDigest(DATA);
const BLOB = `/v2/a/b/blobs/${DIGEST}`;

async function withRegistry(
  options: TestRegistryOptions,
  action: (registry: TestRegistry) => Promise<void>,
): Promise<void> {
  await using registry = await TestRegistry.start(options);
  registry.putBlob('a/b', DATA);
  await action(registry);
}

async function body(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

function add(registry: TestRegistry, repository: string, image: TestImage, tag: string): void {
  const blobs = [image.config, ...image.layers].map(({ bytes }) => bytes);
  registry.addImage(repository, { manifest: image.manifest.bytes, blobs }, tag);
}

test('manifests are served by tag and by digest, with type and digest', async () => {
  await withRegistry({}, async (registry) => {
    const image = fxOci();
    add(registry, 'a/b', image, 'v1');
    for (const reference of ['v1', image.manifest.descriptor.digest]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(`${registry.origin}/v2/a/b/manifests/${reference}`, { method });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), OCI_MANIFEST);
        assert.equal(response.headers.get('docker-content-digest'), image.manifest.descriptor.digest);
        assert.equal(response.headers.get('content-length'), String(image.manifest.bytes.length));
        assert.deepEqual(await body(response), method === 'GET' ? image.manifest.bytes : Buffer.alloc(0));
      }
    }
    assert.equal(registry.requests.length, 4);
    assert.equal(registry.requests[0]?.url, '/v2/a/b/manifests/v1');
  });
});

test('what is not there is reported with the codes of the specification', async () => {
  await withRegistry({}, async (registry) => {
    const code = async (path: string): Promise<unknown> => {
      const response = await fetch(registry.origin + path);
      assert.equal(response.status, 404);
      const document: { errors?: { code?: unknown }[] } = JSON.parse(await response.text());
      return document.errors?.[0]?.code;
    };
    assert.equal(await code('/v2/a/b/manifests/v1'), 'MANIFEST_UNKNOWN');
    assert.equal(await code('/v2/x/manifests/v1'), 'NAME_UNKNOWN');
    assert.equal(await code(`/v2/a/b/blobs/sha256:${'0'.repeat(64)}`), 'BLOB_UNKNOWN');
    assert.equal(await code('/v1/'), 'NAME_INVALID');
  });
});

test('one range is served, an impossible one refused, several ignored', async () => {
  await withRegistry({}, async ({ origin }) => {
    const ask = (range: string, more: Record<string, string> = {}): Promise<Response> =>
      fetch(origin + BLOB, { headers: { range, ...more } });
    const cases = [
      ['bytes=10-19', 'bytes 10-19/1000', DATA.subarray(10, 20)],
      ['bytes=990-', 'bytes 990-999/1000', DATA.subarray(990)],
      ['bytes=-5', 'bytes 995-999/1000', DATA.subarray(995)],
      ['bytes=995-2000', 'bytes 995-999/1000', DATA.subarray(995)],
    ] as const;
    for (const [range, contentRange, bytes] of cases) {
      const response = await ask(range);
      assert.equal(response.status, 206, range);
      assert.equal(response.headers.get('content-range'), contentRange);
      assert.deepEqual(await body(response), bytes);
    }
    const impossible = await ask('bytes=1000-');
    assert.equal(impossible.status, 416);
    assert.equal(impossible.headers.get('content-range'), 'bytes */1000');
    for (const ignored of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=9-5', 'bytes=-']) {
      assert.equal((await ask(ignored)).status, 200, ignored);
    }
    assert.equal((await ask('bytes=1-2', { 'if-range': '"other"' })).status, 200);
    assert.equal((await ask('bytes=1-2', { 'if-range': `"${DIGEST}"` })).status, 206);
  });
});

test('a layout directory is served with its indexes and tags', async () => {
  await withTempDir(async (path) => {
    const images = [fxOci({ architecture: 'arm64' }), fxOci()];
    new LayoutBuilder().addIndex(images, { tag: 'multi' }).addImage(fxOci()).write(path);
    await withRegistry({}, async (registry) => {
      const entries = registry.addLayout('x', path, 'single');
      assert.equal(entries.length, 2);
      const index = await fetch(`${registry.origin}/v2/x/manifests/multi`);
      assert.equal(index.headers.get('content-type'), OCI_INDEX);
      for (const image of images) {
        const url = `${registry.origin}/v2/x/manifests/${image.manifest.descriptor.digest}`;
        assert.deepEqual(await body(await fetch(url)), image.manifest.bytes);
        const layer = image.layers[0];
        assert.ok(layer !== undefined);
        const blobUrl = `${registry.origin}/v2/x/blobs/${layer.descriptor.digest}`;
        assert.deepEqual(await body(await fetch(blobUrl)), layer.bytes);
        const part = await fetch(blobUrl, { headers: { range: 'bytes=3-7' } });
        assert.deepEqual(await body(part), layer.bytes.subarray(3, 8));
      }
      const tags = await (await fetch(`${registry.origin}/v2/x/tags/list`)).json();
      assert.deepEqual(tags, { name: 'x', tags: ['multi', 'single'] });
      const page = await fetch(`${registry.origin}/v2/x/tags/list?n=1`);
      assert.deepEqual(await page.json(), { name: 'x', tags: ['multi'] });
      assert.equal(page.headers.get('link'), '</v2/x/tags/list?n=1&last=multi>; rel="next"');
    });
  });
});

test('blobs and manifests can be pushed: at once, in chunks, by mounting', async () => {
  await withRegistry({}, async (registry) => {
    const { origin } = registry;
    const start = (query = ''): Promise<Response> =>
      fetch(`${origin}/v2/new/blobs/uploads/${query}`, { method: 'POST' });
    const mounted = await start(`?mount=${DIGEST}&from=a/b`);
    assert.equal(mounted.status, 201);

    const monolithic = Buffer.from('monolithic');
    const post = await fetch(`${origin}/v2/new/blobs/uploads/?digest=${sha256ContentDigest(monolithic)}`, {
      method: 'POST',
      body: monolithic,
    });
    assert.equal(post.status, 201);

    const begun = await start();
    assert.equal(begun.status, 202);
    const location = new URL(begun.headers.get('location') ?? '', origin);
    const patch = (text: string, range: string): Promise<Response> =>
      fetch(location, { method: 'PATCH', body: text, headers: { 'content-range': range } });
    assert.equal((await patch('abc', '0-2')).headers.get('range'), '0-2');
    assert.equal((await patch('xyz', '5-7')).status, 416);
    assert.equal((await patch('def', '3-5')).headers.get('range'), '0-5');
    const digest = sha256ContentDigest(Buffer.from('abcdefg'));
    assert.equal((await fetch(`${location}?digest=${DIGEST}`, { method: 'PUT' })).status, 400);
    const put = await fetch(`${location}?digest=${digest}`, { method: 'PUT', body: 'g' });
    assert.equal(put.status, 201);
    assert.equal(await (await fetch(`${origin}/v2/new/blobs/${digest}`)).text(), 'abcdefg');

    const image = fxOci();
    const push = (): Promise<Response> =>
      fetch(`${origin}/v2/new/manifests/v1`, {
        method: 'PUT',
        body: image.manifest.bytes,
        headers: { 'content-type': OCI_MANIFEST },
      });
    assert.equal((await push()).status, 404, 'its blobs are missing');
    for (const { bytes } of [image.config, ...image.layers]) registry.putBlob('new', bytes);
    assert.equal((await push()).status, 201);
    assert.equal((await fetch(`${origin}/v2/new/manifests/v1`, { method: 'DELETE' })).status, 202);
    assert.equal((await fetch(`${origin}/v2/new/manifests/v1`)).status, 404);
  });
});

test('referrers are listed by the API, or under the fallback tag where there is none', async () => {
  for (const referrersApi of [true, false]) {
    await withRegistry({ referrersApi }, async (registry) => {
      const image = fxOci();
      add(registry, 'a/b', image, 'v1');
      const subject = image.manifest.descriptor;
      const artifact = { ...JSON.parse(spdxArtifact().manifest.bytes.toString()), subject, artifactType: 'x/sbom' };
      const { digest } = registry.putManifest('a/b', Buffer.from(JSON.stringify(artifact)));
      const api = await fetch(`${registry.origin}/v2/a/b/referrers/${subject.digest}?artifactType=x/sbom`);
      assert.equal(api.status, referrersApi ? 200 : 404);
      const fallback = await fetch(`${registry.origin}/v2/a/b/manifests/${subject.digest.replace(':', '-')}`);
      assert.equal(fallback.status, referrersApi ? 404 : 200);
      const index: { manifests?: { digest: string; artifactType: string }[] } = JSON.parse(
        await (referrersApi ? api : fallback).text(),
      );
      assert.equal(index.manifests?.length, 1);
      assert.equal(index.manifests?.[0]?.digest, digest);
      assert.equal(index.manifests?.[0]?.artifactType, 'x/sbom');
      if (referrersApi) assert.equal(api.headers.get('oci-filters-applied'), 'artifactType');
    });
  }
});

const users = { ann: 'secret:with colon' };
const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

test('basic authentication: a challenge, a wrong password, the right one, and what is denied', async () => {
  const authorize = (_user: unknown, repository: string): boolean => repository !== 'private';
  await withRegistry({ auth: { type: 'basic', users, authorize } }, async (registry) => {
    registry.putBlob('private', DATA);
    const status = async (path: string, authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await fetch(registry.origin + path, { headers })).status;
    };
    assert.match((await fetch(`${registry.origin}/v2/`)).headers.get('www-authenticate') ?? '', /^Basic realm=/);
    assert.equal(await status(BLOB), 401);
    assert.equal(await status(BLOB, basic('ann', 'wrong')), 401);
    assert.equal(await status(BLOB, basic('constructor', 'x')), 401);
    assert.equal(await status(BLOB, basic('ann', users.ann)), 200);
    assert.equal(await status(BLOB.replace('a/b', 'private'), basic('ann', users.ann)), 403);
  });
});

interface TokenReply {
  readonly token?: string;
  readonly access_token?: string;
  readonly refresh_token?: string;
  readonly expires_in?: number;
}

test('bearer tokens: scopes, expiry, refresh tokens', async () => {
  await withRegistry({ auth: { type: 'bearer', users, expiresIn: 60 } }, async (registry) => {
    const challenge = (await fetch(registry.origin + BLOB)).headers.get('www-authenticate');
    const realm = `${registry.origin}/token`;
    assert.equal(challenge, `Bearer realm="${realm}",service="test-registry",scope="repository:a/b:pull"`);
    const scope = 'repository:a/b:pull';
    const query = `service=test-registry&scope=${scope}&offline_token=true`;
    const headers = { authorization: basic('ann', users.ann) };
    assert.equal((await fetch(`${realm}?${query}`)).status, 401);
    const reply: TokenReply = JSON.parse(await (await fetch(`${realm}?${query}`, { headers })).text());
    assert.equal(reply.expires_in, 60);
    assert.equal(reply.token, reply.access_token);
    const pull = (token: string | undefined, path = BLOB): Promise<Response> =>
      fetch(registry.origin + path, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await pull(reply.token)).status, 200);
    assert.match(
      (await pull(reply.token, '/v2/c/tags/list')).headers.get('www-authenticate') ?? '',
      /insufficient_scope/,
    );

    registry.expireTokens();
    assert.match((await pull(reply.token)).headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    const refresh = (refreshToken: string): Promise<Response> => {
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken, service: 'test-registry', scope };
      return fetch(realm, { method: 'POST', body: new URLSearchParams(form) });
    };
    assert.ok(reply.refresh_token !== undefined);
    const second: TokenReply = JSON.parse(await (await refresh(reply.refresh_token)).text());
    assert.equal((await pull(second.access_token)).status, 200);
    registry.revokeRefreshTokens();
    assert.equal((await refresh(reply.refresh_token)).status, 400);
    assert.equal((await refresh(registry.issueRefreshToken('ann'))).status, 200);
    const form = { grant_type: 'password', username: 'ann', password: users.ann, service: 'test-registry', scope };
    const third = await fetch(realm, { method: 'POST', body: new URLSearchParams(form) });
    const { token } = JSON.parse(await third.text());
    assert.equal((await pull(token)).status, 200);
  });
});

test('anonymous tokens pull and nothing else', async () => {
  await withRegistry({ auth: { type: 'bearer', users, anonymousPull: true, oauth2: false } }, async (registry) => {
    const reply = await fetch(`${registry.origin}/token?service=x&scope=repository:a/b:pull,push`);
    const { token }: TokenReply = JSON.parse(await reply.text());
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await fetch(registry.origin + BLOB, { headers })).status, 200);
    const push = { method: 'POST', headers };
    assert.equal((await fetch(`${registry.origin}/v2/a/b/blobs/uploads/`, push)).status, 401);
    assert.equal((await fetch(`${registry.origin}/token`, { method: 'POST' })).status, 405);
  });
});

async function withFault(
  fault: Fault,
  condition: FaultCondition,
  action: (get: (headers?: Record<string, string>) => Promise<Response>, registry: TestRegistry) => Promise<void>,
): Promise<void> {
  await withRegistry({}, async (registry) => {
    registry.addFault(fault, condition);
    await action((headers = {}) => fetch(registry.origin + BLOB, { headers }), registry);
  });
}

test('a fault befalls the requests that its condition says', async () => {
  await withRegistry({}, async (registry) => {
    const headers = { 'Retry-After': '7' };
    const handle = registry.addFault(
      { type: 'status', status: 429, headers, code: 'TOOMANYREQUESTS' },
      {
        path: '/v2/*/blobs/*',
        method: 'GET',
        nth: [1, 3],
      },
    );
    const get = (): Promise<Response> => fetch(registry.origin + BLOB);
    const first = await get();
    assert.equal(first.status, 429);
    assert.equal(first.headers.get('retry-after'), '7');
    assert.match(await first.text(), /TOOMANYREQUESTS/);
    assert.equal((await fetch(registry.origin + BLOB, { method: 'HEAD' })).status, 200);
    assert.deepEqual([(await get()).status, (await get()).status, (await get()).status], [200, 429, 200]);
    assert.equal(handle.hits, 2);
    assert.equal(registry.requests[0]?.faults.length, 1);
    registry.addFault({ type: 'status', status: 503, body: 'down' }, { path: /sha256:/g, nth: (n) => n > 1 });
    assert.deepEqual([(await get()).status, (await get()).status, (await get()).status], [200, 503, 503]);
    registry.clearFaults();
    assert.equal((await get()).status, 200);
    const every = registry.addFault({ type: 'status', status: 500 });
    assert.equal((await get()).status, 500);
    every.remove();
    assert.equal((await get()).status, 200);
  });
});

test('a stream is cut after as many bytes as were asked for', async () => {
  for (const reset of [false, true]) {
    await withFault({ type: 'cut', afterBytes: 300, reset }, { nth: 1 }, async (get, registry) => {
      const response = await get();
      assert.equal(response.headers.get('content-length'), '1000');
      await assert.rejects(body(response));
      assert.equal(registry.requests[0]?.bytesSent, 300);
      assert.deepEqual(await body(await get({ range: 'bytes=300-' })), DATA.subarray(300));
    });
  }
  await withFault({ type: 'disconnect' }, {}, async (get) => {
    await assert.rejects(get());
  });
});

test('one byte is wrong, also within a range', async () => {
  await withFault({ type: 'corrupt', offset: 500 }, {}, async (get) => {
    const whole = await body(await get());
    assert.equal(whole.length, 1000);
    assert.equal((whole[500] ?? 0) ^ 0xff, DATA[500]);
    whole[500] = DATA[500] ?? 0;
    assert.deepEqual(whole, DATA);
    const part = await body(await get({ range: 'bytes=499-501' }));
    assert.deepEqual(part, Buffer.from([248, 249 ^ 0xff, 250]));
    assert.deepEqual(await body(await get({ range: 'bytes=501-' })), DATA.subarray(501));
  });
});

test('a body comes slowly, or stops', async () => {
  await withFault({ type: 'slow', bytesPerSecond: 5000, delayMs: 50 }, {}, async (get) => {
    const start = performance.now();
    assert.deepEqual(await body(await get()), DATA);
    const seconds = (performance.now() - start) / 1000;
    assert.ok(seconds >= 0.2, `1000 bytes took ${seconds} s`);
  });
  await withFault({ type: 'stall', afterBytes: 0 }, {}, async (_get, registry) => {
    const response = await fetch(registry.origin + BLOB, { signal: AbortSignal.timeout(200) });
    assert.equal(response.status, 200);
    await assert.rejects(body(response), { name: 'TimeoutError' });
    assert.equal(registry.requests[0]?.bytesSent, 0);
  });
});

test('headers lie', async () => {
  await withFault(
    { type: 'headers', headers: { 'Docker-Content-Digest': 'sha256:00', ETag: undefined } },
    {},
    async (get) => {
      const response = await get();
      assert.equal(response.headers.get('docker-content-digest'), 'sha256:00');
      assert.equal(response.headers.get('etag'), null);
    },
  );
  const contentRange = { 'Content-Range': 'bytes 0-9/1000' };
  await withFault({ type: 'headers', headers: contentRange }, { hasRange: true }, async (get) => {
    assert.equal((await get({ range: 'bytes=5-14' })).headers.get('content-range'), 'bytes 0-9/1000');
    assert.equal((await get()).headers.get('content-range'), null);
  });
  await withFault({ type: 'headers', headers: { 'Content-Length': '2000' } }, {}, async (get) => {
    await assert.rejects(async () => body(await get()));
  });
  await withFault({ type: 'ignore-range' }, {}, async (get) => {
    const response = await get({ range: 'bytes=5-14' });
    assert.equal(response.status, 200);
    assert.deepEqual(await body(response), DATA);
  });
});

test('a redirect leads to another origin that shares the contents and wants no credentials', async () => {
  await withRegistry({}, async (registry) => {
    const storage = await TestRegistry.start({ contents: registry.contents, auth: { type: 'refuse-credentials' } });
    registry.addFault(
      { type: 'redirect', location: (path) => storage.origin + path, status: 302 },
      { path: '*/blobs/*' },
    );
    assert.deepEqual(await body(await fetch(registry.origin + BLOB)), DATA);
    assert.equal(storage.requests.length, 1);
    const headers = { authorization: 'Bearer x' };
    assert.equal((await fetch(storage.origin + BLOB, { headers })).status, 400);
    await storage.close();
    await storage.close();
  });
});
