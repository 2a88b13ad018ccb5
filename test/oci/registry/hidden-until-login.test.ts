import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { RegistrySource } from '../../../src/oci/sources/registry-source.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { pullOptions, serveImage, sizedImage } from './registry-support.js';

/** Registries that say how to log in at `GET /v2/` only. */

const IMAGE = sizedImage([100_000]);
const USERS = { ann: 'secret' };

/** The digest of the image, or the message of why there is none. */
async function read(context: TestContext, registry: TestRegistry, password?: string): Promise<string> {
  const credentials = password === undefined ? undefined : { username: 'ann', password };
  const { registry: config, timeouts, retry } = pullOptions(context, { registry: { credentials } });
  const source = await RegistrySource.open(registry.reference('my/image'), { config, timeouts, retry });
  try {
    const { value, digest } = await source.manifest();
    await source.readBlob(value.config);
    return digest;
  } catch (error) {
    assert.ok(error instanceof ComposefsError, String(error));
    return fullMessage(error);
  } finally {
    await source.close();
  }
}

function asked(registry: TestRegistry): string[] {
  return registry.requests.map(({ url, status, headers }) => {
    const { authorization } = headers;
    const kind = typeof authorization === 'string' ? authorization.split(' ')[0] : 'none';
    return `${url.replace(/\?.*/, '').replace(/sha256:.*/, 'config')} ${kind} ${status}`;
  });
}

for (const status of [401, 403, 404] as const) {
  test(`basic authentication, where strangers get ${status}`, async (context) => {
    const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS, strangersGet: status });
    assert.equal(await read(context, registry, 'secret'), IMAGE.manifest.descriptor.digest);
    assert.deepEqual(asked(registry), [
      `/v2/my/image/manifests/latest none ${status}`,
      '/v2/ none 401',
      '/v2/my/image/manifests/latest Basic 200',
      '/v2/my/image/blobs/config Basic 200',
    ]);
  });

  test(`a token, where strangers get ${status}`, async (context) => {
    const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS, strangersGet: status });
    assert.equal(await read(context, registry, 'secret'), IMAGE.manifest.descriptor.digest);
    assert.deepEqual(asked(registry), [
      `/v2/my/image/manifests/latest none ${status}`,
      '/v2/ none 401',
      '/token Basic 200',
      '/v2/my/image/manifests/latest Bearer 200',
      '/v2/my/image/blobs/config Bearer 200',
    ]);
    assert.match(registry.requests[2]?.url ?? '', /scope=repository%3Amy%2Fimage%3Apull&account=ann$/);
  });
}

test('wrong credentials are said to be wrong', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS, strangersGet: 404 });
  assert.match(await read(context, registry, 'wrong'), /does not have it \(404\): there is no such repository/);
  const open = await serveImage(context, IMAGE, { type: 'bearer', users: USERS, strangersGet: 404 });
  assert.match(await read(context, open, 'wrong'), /refuses the credentials of the command line/);
});

test('without credentials a 404 is a 404, and a 401 or 403 is asked about once', async (context) => {
  const missing = await serveImage(context, IMAGE, { type: 'basic', users: USERS, strangersGet: 404 });
  assert.match(await read(context, missing), /does not have it \(404\)/);
  assert.ok(!asked(missing).some((each) => each.startsWith('/v2/ ')));
  for (const status of [401, 403] as const) {
    const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS, strangersGet: status });
    await read(context, registry);
    assert.deepEqual(asked(registry), [`/v2/my/image/manifests/latest none ${status}`, '/v2/ none 401']);
    const withTokens = await serveImage(context, IMAGE, {
      type: 'bearer',
      users: USERS,
      anonymousPull: true,
      strangersGet: status,
    });
    assert.equal(await read(context, withTokens), IMAGE.manifest.descriptor.digest);
  }
});

test('where nobody says how to log in, nothing is sent, and the message says that', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  registry.addFault({ type: 'status', status: 401, message: 'authentication required' });
  const message = await read(context, registry, 'secret');
  assert.match(
    message,
    /refuses access \(authentication required\), but does not ask for a login in a way that is known: the credentials of the command line were not sent$/,
  );
  assert.deepEqual(asked(registry), ['/v2/my/image/manifests/latest none 401', '/v2/ none 401']);
});

test('a way of authorization that is not known is none', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  const headers = { 'WWW-Authenticate': 'Negotiate' };
  registry.addFault({ type: 'status', status: 401, headers, message: 'no' });
  assert.match(await read(context, registry, 'secret'), /were not sent$/);
});

test('another host is not asked how to log in', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  const thief = await serveImage(context, IMAGE, { type: 'basic', users: USERS });
  registry.addFault({ type: 'status', status: 404 }, { path: '*/manifests/*' });
  registry.addFault({ type: 'redirect', location: `${thief.origin}/v2/` }, { path: '/v2/' });
  assert.match(await read(context, registry, 'secret'), /404/);
  assert.deepEqual(asked(thief), ['/v2/ none 401']);
});
