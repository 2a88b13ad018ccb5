import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ComposefsError, errorCode, fullMessage } from '../../../src/errors.js';
import type { PullOptions } from '../../../src/oci/import/pull-options.js';
import { RegistrySource } from '../../../src/oci/sources/registry-source.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { tempDir } from '../../composefs/repository/temp-repository.js';
import { rejectionOf } from '../../support/failures.js';
import { fetchLayer } from '../../support/layer-blobs.js';
import { authEntry } from './config-fixtures.js';
import { pullOptions, put, serveImage, sizedImage, startRegistry } from './registry-support.js';

const IMAGE = sizedImage([300_000, 100_000]);
const USERS = { ann: 'secret' };

/** Reads manifest and layers as a pull does, but in this thread, and stores nothing. */
async function fetchImage(
  reference: string,
  { registry: config, timeouts, retry }: PullOptions,
  between?: () => Promise<void> | void,
): Promise<void> {
  const source = await RegistrySource.open(reference, { config, timeouts, retry });
  try {
    const { value } = await source.manifest();
    await source.readBlob(value.config);
    for (const layer of value.layers) {
      await between?.();
      await fetchLayer(source, layer);
    }
  } finally {
    await source.close();
  }
}

function withAuthFile(context: TestContext, registry: TestRegistry, entry: Record<string, string>): PullOptions {
  const authFile = join(tempDir(context), 'auth.json');
  writeFileSync(authFile, JSON.stringify({ auths: { [registry.host]: entry } }));
  return pullOptions(context, { registry: { authFile } });
}

async function failure(promise: Promise<unknown>): Promise<{ code: string; text: string }> {
  const error = await rejectionOf(promise);
  const hints: string[] = [];
  for (let cause: unknown = error; cause instanceof ComposefsError; cause = cause.cause) hints.push(cause.hint ?? '');
  return { code: error.code, text: `${fullMessage(error)} ${hints.join(' ')}` };
}

function tokenRequests(registry: TestRegistry): TestRegistry['requests'] {
  return registry.requests.filter(({ url }) => url.startsWith('/token'));
}

test('basic authentication', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS });
  await fetchImage(registry.reference('my/image'), withAuthFile(context, registry, authEntry('ann', 'secret')));
  // Asked for once.
  assert.equal(registry.requests.filter(({ status }) => status === 401).length, 1);
});

test('credentials of the command line', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS });
  const credentials = { username: 'ann', password: 'secret' };
  await fetchImage(registry.reference('my/image'), pullOptions(context, { registry: { credentials } }));
});

test('an anonymous token serves a whole pull', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS, anonymousPull: true });
  await fetchImage(registry.reference('my/image'), pullOptions(context));
  assert.deepEqual(
    tokenRequests(registry).map(({ url }) => decodeURIComponent(url)),
    ['/token?service=test-registry&scope=repository:my/image:pull'],
  );
  assert.equal(registry.requests.filter(({ status }) => status === 401).length, 1);
});

test('a token for a password', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS, tokenField: 'access_token' });
  await fetchImage(registry.reference('my/image'), withAuthFile(context, registry, authEntry('ann', 'secret')));
  const [request] = tokenRequests(registry);
  assert.match(request?.url ?? '', /account=ann/);
  assert.ok(registry.requests.every(({ url }) => !url.includes('secret')));
});

test('a token for an identity token, by OAuth2', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS });
  const identitytoken = registry.issueRefreshToken('ann');
  await fetchImage(registry.reference('my/image'), withAuthFile(context, registry, { identitytoken }));
  assert.deepEqual(
    tokenRequests(registry).map(({ method }) => method),
    ['POST'],
  );
});

test('a token that has expired is renewed', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS });
  const options = withAuthFile(context, registry, authEntry('ann', 'secret'));
  await fetchImage(registry.reference('my/image'), options, () => registry.expireTokens());
  assert.ok(tokenRequests(registry).length >= 2);
});

test('a token is renewed before it expires', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS, expiresIn: 0 });
  const options = withAuthFile(context, registry, authEntry('ann', 'secret'));
  const error = await failure(fetchImage(registry.reference('my/image'), options));
  assert.equal(error.code, 'UNAUTHORIZED');
  const short = await serveImage(context, IMAGE, { type: 'bearer', users: USERS, expiresIn: 2 });
  const more = withAuthFile(context, short, authEntry('ann', 'secret'));
  await fetchImage(short.reference('my/image'), more, () => new Promise((resolve) => setTimeout(resolve, 1700)));
  assert.equal(short.requests.filter(({ status }) => status === 401).length, 1);
  assert.ok(tokenRequests(short).length >= 2);
});

test('without credentials the message names the command to log in', async (context) => {
  for (const type of ['basic', 'bearer'] as const) {
    const registry = await serveImage(context, IMAGE, { type, users: USERS });
    const { code, text } = await failure(fetchImage(registry.reference('my/image'), pullOptions(context)));
    assert.equal(code, 'UNAUTHORIZED');
    assert.ok(text.includes(`cfsctl oci login ${registry.host}`), text);
  }
});

test('a helper that is not installed matters only to a registry that wants credentials', async (context) => {
  const withHelper = (registry: TestRegistry): PullOptions => {
    const authFile = join(tempDir(context), 'auth.json');
    writeFileSync(authFile, JSON.stringify({ credHelpers: { [registry.host]: 'absent' }, credsStore: 'desktop.exe' }));
    return pullOptions(context, { registry: { authFile } });
  };
  const open = await startRegistry(context);
  put(open, 'my/image', IMAGE);
  await fetchImage(open.reference('my/image'), withHelper(open));
  for (const type of ['basic', 'bearer'] as const) {
    const registry = await serveImage(context, IMAGE, { type, users: USERS });
    await assert.rejects(fetchImage(registry.reference('my/image'), withHelper(registry)), (error) => {
      assert.equal(errorCode(error), 'CREDENTIAL_HELPER');
      const text = fullMessage(error);
      assert.match(text, /: There is no program docker-credential-absent: .* to anyone without a login$/);
      return true;
    });
  }
});

test('wrong credentials are named by their file and entry, never shown, and not tried twice', async (context) => {
  for (const type of ['basic', 'bearer'] as const) {
    const registry = await serveImage(context, IMAGE, { type, users: USERS });
    const options = withAuthFile(context, registry, authEntry('ann', 'wrongpassword'));
    const { code, text } = await failure(fetchImage(registry.reference('my/image'), options));
    assert.equal(code, 'UNAUTHORIZED');
    assert.ok(text.includes(`${options.registry?.authFile}, entry '${registry.host}'`), text);
    assert.ok(!text.includes('wrongpassword') && !text.includes(authEntry('ann', 'wrongpassword').auth), text);
    assert.match(text, /cfsctl oci login/);
    assert.ok(registry.requests.length <= 2);
  }
});

test('an identity token that was revoked is said to be', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'bearer', users: USERS });
  const identitytoken = registry.issueRefreshToken('ann');
  registry.revokeRefreshTokens();
  const options = withAuthFile(context, registry, { identitytoken });
  const { code, text } = await failure(fetchImage(registry.reference('my/image'), options));
  assert.equal(code, 'UNAUTHORIZED');
  assert.match(text, /identity token of .*log in again/s);
});

test('what an account may not pull is denied', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS, authorize: () => false });
  const options = withAuthFile(context, registry, authEntry('ann', 'secret'));
  assert.equal((await failure(fetchImage(registry.reference('my/image'), options))).code, 'DENIED');
});

test('a redirect to another host takes no credentials along', async (context) => {
  for (const auth of [{ type: 'basic', users: USERS } as const, { type: 'bearer', users: USERS } as const]) {
    const registry = await serveImage(context, IMAGE, auth);
    const storage = await serveImage(context, IMAGE, { type: 'refuse-credentials' });
    const location = (path: string): string => `${storage.origin}${path}?signature=topsecret`;
    registry.addFault({ type: 'redirect', location }, { path: '*/blobs/*' });
    await fetchImage(registry.reference('my/image'), withAuthFile(context, registry, authEntry('ann', 'secret')));
    assert.equal(storage.requests.length, 3);
    assert.ok(storage.requests.every(({ headers }) => headers['authorization'] === undefined));

    storage.addFault({ type: 'status', status: 403, message: 'expired' });
    const failed = await failure(
      fetchImage(registry.reference('my/image'), withAuthFile(context, registry, authEntry('ann', 'secret'))),
    );
    assert.equal(failed.code, 'DENIED');
    assert.ok(!failed.text.includes('topsecret'));
  }
});

test('another host cannot ask for credentials', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS });
  const thief = await serveImage(context, IMAGE, { type: 'basic', users: USERS });
  registry.addFault({ type: 'redirect', location: (path) => thief.origin + path }, { path: '*/blobs/*' });
  const options = withAuthFile(context, registry, authEntry('ann', 'secret'));
  assert.equal((await failure(fetchImage(registry.reference('my/image'), options))).code, 'UNAUTHORIZED');
  assert.equal(thief.requests.length, 1);
});

test('a redirect within the host keeps them', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'basic', users: USERS });
  registry.addFault({ type: 'redirect', location: (path) => `${path}?again` }, { path: /\/blobs\/[^?]*$/ });
  await fetchImage(registry.reference('my/image'), withAuthFile(context, registry, authEntry('ann', 'secret')));
});

test('redirects end', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  registry.addFault({ type: 'redirect', location: (path) => path }, { path: '*/manifests/*' });
  const { code } = await failure(fetchImage(registry.reference('my/image'), pullOptions(context)));
  assert.equal(code, 'TOO_MANY_REDIRECTS');
  assert.equal(registry.requests.length, 11);
});

test('mirrors are tried in order, and the registry itself last', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  const empty = await startRegistry(context);
  const mirror = await serveImage(context, IMAGE, { type: 'none' });
  const options = withMirrors(context, registry, ['127.0.0.1:1', empty.host, mirror.host]);
  await fetchImage(registry.reference('my/image'), options);
  assert.deepEqual(
    empty.requests.map(({ status }) => status),
    [404],
  );
  assert.equal(mirror.requests.length, 4);
  assert.equal(registry.requests.length, 0);
});

test('where a mirror fails the next one goes on with the same blob', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  const mirror = await serveImage(context, IMAGE, { type: 'none' });
  const path = `/v2/my/image/blobs/${IMAGE.layers[0]?.descriptor.digest}`;
  mirror.addFault({ type: 'cut', afterBytes: 200_000 }, { path });
  mirror.addFault({ type: 'status', status: 404 }, { path, hasRange: true });
  await fetchImage(registry.reference('my/image'), withMirrors(context, registry, [mirror.host]));
  assert.deepEqual(
    registry.requests.map(({ url, headers }) => [url, headers['range']]),
    [[path, 'bytes=200000-']],
  );
});

test('where a mirror has wrong bytes the registry is asked', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  const mirror = await serveImage(context, IMAGE, { type: 'none' });
  mirror.addFault({ type: 'corrupt' }, { path: /blobs|manifests/ });
  await fetchImage(registry.reference('my/image'), withMirrors(context, registry, [mirror.host]));
  assert.equal(registry.requests.length, 4);
});

test('if all fail, the registry says why, and what the mirrors said is told', async (context) => {
  const registry = await serveImage(context, IMAGE, { type: 'none' });
  const mirror = await startRegistry(context);
  const options = withMirrors(context, registry, [mirror.host]);
  const { code, text } = await failure(fetchImage(registry.reference('my/image', 'none'), options));
  assert.equal(code, 'MANIFEST_UNKNOWN');
  assert.match(text, /mirrors failed before: 127\.0\.0\.1/);
});

test('a host that does not exist and a port where nobody listens', async (context) => {
  const options = pullOptions(context);
  const refused = await failure(fetchImage('docker://127.0.0.1:1/x', options));
  assert.equal(refused.code, 'ECONNREFUSED');
  assert.match(refused.text, /Nothing listens at 127\.0\.0\.1:1:/);
});

function withMirrors(context: TestContext, registry: TestRegistry, mirrors: readonly string[]): PullOptions {
  const directory = tempDir(context);
  const registriesConf = join(directory, 'registries.conf');
  mkdirSync(join(directory, 'empty'));
  const lines = [`[[registry]]`, `location = "${registry.host}"`, 'insecure = true'];
  for (const mirror of mirrors) lines.push('[[registry.mirror]]', `location = "${mirror}"`, 'insecure = true');
  writeFileSync(registriesConf, lines.join('\n'));
  return pullOptions(context, { registry: { registriesConf } });
}
