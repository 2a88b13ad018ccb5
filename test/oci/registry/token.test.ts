import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HttpClient } from '../../../src/oci/http/http.js';
import { DEFAULT_TIMEOUTS } from '../../../src/oci/http/timeouts.js';
import { type BearerToken, fetchToken } from '../../../src/oci/registry/token.js';
import { RegistrySource } from '../../../src/oci/sources/registry-source.js';
import type { Fault } from '../../../src/testing/index.js';
import { pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

/** What is made of an answer of a token service. */
async function token(context: TestContext, body: string | Buffer, fault: Partial<Fault> = {}): Promise<BearerToken> {
  const registry = await startRegistry(context);
  registry.addFault({ type: 'status', status: 200, body, ...fault } as Fault);
  const http = new HttpClient({ verify: true, proxies: {}, timeouts: DEFAULT_TIMEOUTS });
  context.after(() => http.close());
  const service = { realm: `${registry.origin}/token`, scope: 'repository:a:pull' };
  return await fetchToken(http, service, undefined, { allowPlain: true, verify: true }, undefined);
}

/** Seconds until the token is to be renewed, for a life of `seconds`. */
const LIFE = (seconds: number): number => seconds * 0.8;

for (const [body, value, life] of [
  ['{"token":"t"}', 't', LIFE(60)],
  ['{"access_token":"a"}', 'a', LIFE(60)],
  ['{"token":"t","access_token":"a","expires_in":300}', 't', LIFE(300)],
  ['{"token":"","access_token":"a"}', 'a', LIFE(60)],
  ['{"token":null,"access_token":"a","expires_in":null,"issued_at":null}', 'a', LIFE(60)],
  ['{"Token":"t","EXPIRES_IN":300}', 't', LIFE(300)],
  ['{"token":"t","token":"u"}', 'u', LIFE(60)],
  ['{"token":"t","expires_in":"300"}', 't', LIFE(300)],
  ['{"token":"t","expires_in":300.5}', 't', LIFE(300.5)],
  ['{"token":"t","expires_in":3e2}', 't', LIFE(300)],
  ['{"token":"t","expires_in":0}', 't', LIFE(60)],
  ['{"token":"t","expires_in":-5}', 't', LIFE(60)],
  ['{"token":"t","expires_in":"soon"}', 't', LIFE(60)],
  ['{"token":"t","expires_in":{"a":[]}}', 't', LIFE(60)],
  ['{"token":"t","expires_in":123456789012345678901234567890}', 't', LIFE(86_400)],
  ['{"token":"t","issued_at":"yesterday"}', 't', LIFE(60)],
  ['{"token":"t","issued_at":1700000000,"scope":7,"refresh_token":[]}', 't', LIFE(60)],
  ['\ufeff \n{"token":" t\\n"}\n', 't', LIFE(60)],
  ['{"token":"t","x":"\\ud800"}', 't', LIFE(60)],
] as const) {
  test(`a token: ${JSON.stringify(body)}`, async (context) => {
    const before = Date.now();
    const { value: found, refreshAt } = await token(context, body);
    assert.equal(found, value);
    const seconds = (refreshAt - before) / 1000;
    assert.ok(seconds >= life && seconds < life + 5, String(seconds));
  });
}

for (const body of [
  '',
  'null',
  '[]',
  '"t"',
  '{"token":7}',
  '{"token":""}',
  '{"token":"a b"}',
  '{"token":"a\\r\\nX: y"}',
  '{"token":"\\u0100"}',
  '{"token":"t"',
  '{"details":"no"}',
  '['.repeat(500_000),
] as const) {
  test(`no token: ${JSON.stringify(body.slice(0, 40))}`, async (context) => {
    await assert.rejects(token(context, body), { code: 'BAD_RESPONSE', message: /with a token$|without a token$/ });
  });
}

test('a document that was compressed on the way, and one that grows too large', async (context) => {
  const headers = { 'Content-Encoding': 'gzip' };
  const found = await token(context, gzipSync('{"token":"t"}'), { headers });
  assert.equal(found.value, 't');
  // It says so, but is not.
  assert.equal((await token(context, '{"token":"t"}', { headers })).value, 't');
  await assert.rejects(token(context, gzipSync(Buffer.alloc(64 << 20)), { headers }), { code: 'BAD_RESPONSE' });
  await assert.rejects(token(context, Buffer.alloc(2 << 20, 0x20)), { code: 'RESPONSE_TOO_LARGE' });
});

test('any success is one', async (context) => {
  assert.equal((await token(context, '{"token":"t"}', { status: 201 })).value, 't');
  await assert.rejects(token(context, '{"token":"t"}', { status: 404 }), { code: 'NOT_FOUND' });
});

test('a token is asked for to pull from the own repository, whatever the challenge says', async (context) => {
  for (const scope of [
    ',scope="repository:other/secret:pull"',
    ',scope="repository:my/image:pull,push repository:other/secret:push registry:catalog:*"',
    ',scope=""',
    '',
  ]) {
    const registry = await startRegistry(context, { auth: { type: 'bearer', users: {}, anonymousPull: true } });
    put(registry, 'my/image', sizedImage([1000]));
    const challenge = `Bearer realm="${registry.origin}/token",service="test"${scope}`;
    registry.addFault({ type: 'headers', headers: { 'WWW-Authenticate': challenge } }, { path: '/v2/*' });
    const { registry: config } = pullOptions(context);
    const source = await RegistrySource.open(registry.reference('my/image'), { config });
    await source.manifest();
    await source.close();
    const asked = registry.requests.filter(({ url }) => url.startsWith('/token')).map(({ url }) => url);
    assert.deepEqual(asked, ['/token?service=test&scope=repository%3Amy%2Fimage%3Apull']);
  }
});
