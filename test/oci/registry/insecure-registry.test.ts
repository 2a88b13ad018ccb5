import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ComposefsError } from '../../../src/errors.js';
import type { ProxySettings } from '../../../src/oci/http/proxy.js';
import { DEFAULT_TIMEOUTS, type HttpTimeouts } from '../../../src/oci/http/timeouts.js';
import { EndpointClient } from '../../../src/oci/registry/endpoint-client.js';
import { TestRegistry } from '../../../src/testing/index.js';
import { TestAuthority } from '../../support/certificates.js';
import { rejectionOf } from '../../support/failures.js';
import { put, sizedImage, startRegistry } from './registry-support.js';

/** A registry that is said to be insecure is tried over TLS first, and without if that fails, however it fails. */

const IMAGE = sizedImage([1000]);
const TLS_HELLO = 0x16;

/** A port that passes plain connections on to `target` and does `onHello` with those that begin with TLS. */
async function sniff(context: TestContext, target: string, onHello: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', (data) => {
      if (data[0] === TLS_HELLO) return onHello(socket);
      const onward = connect(Number(target.split(':')[1]), '127.0.0.1');
      onward.on('error', () => socket.destroy());
      sockets.push(onward);
      onward.write(data);
      socket.pipe(onward).pipe(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Asked {
  readonly scheme: 'https' | 'http' | undefined;
  readonly status: number;
}

async function ask(
  host: string,
  options: { readonly timeouts?: Partial<HttpTimeouts>; readonly proxies?: ProxySettings; insecure?: boolean } = {},
): Promise<Asked> {
  const { timeouts, proxies = {}, insecure = true } = options;
  const client = new EndpointClient(
    { host, repository: 'my/image', insecure },
    {
      timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
      retry: { attempts: 1, baseMs: 1, maxMs: 1, maxRetryAfterMs: 1 },
      proxies,
    },
  );
  try {
    const response = await client.get('manifests/latest');
    response.discard();
    return { scheme: response.url.protocol === 'https:' ? 'https' : 'http', status: response.status };
  } finally {
    client.close();
  }
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await rejectionOf(promise);
  return `${error.code} ${error.message}`;
}

async function plainRegistry(context: TestContext): Promise<TestRegistry> {
  const registry = await startRegistry(context);
  put(registry, 'my/image', IMAGE);
  return registry;
}

const PLAIN: Asked = { scheme: 'http', status: 200 };

for (const [what, onHello] of [
  ['an HTTP error', (socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\nnot TLS\n')],
  ['an alert', (socket) => socket.end(Buffer.from('15030100020228', 'hex'))],
  ['other bytes', (socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')],
  ['the end of the connection', (socket) => socket.end()],
  ['a reset', (socket) => socket.resetAndDestroy()],
  ['nothing', () => undefined],
] as const satisfies readonly (readonly [string, (socket: Socket) => void])[]) {
  test(`a server that answers TLS with ${what}`, async (context) => {
    const registry = await plainRegistry(context);
    const host = await sniff(context, registry.host, onHello);
    assert.deepEqual(await ask(host, { timeouts: { connectMs: 300 } }), PLAIN);
    // Nothing in clear to a registry that is not said to be insecure.
    registry.requests.length = 0;
    await assert.rejects(ask(host, { timeouts: { connectMs: 300 }, insecure: false }));
    assert.deepEqual(registry.requests, []);
  });
}

test('a server that is known to have TLS, or none, is not asked again', async (context) => {
  const registry = await plainRegistry(context);
  let hellos = 0;
  const host = await sniff(context, registry.host, (socket) => {
    hellos += 1;
    socket.destroy();
  });
  const data = { host, repository: 'my/image', insecure: true };
  const retry = { attempts: 1, baseMs: 1, maxMs: 1, maxRetryAfterMs: 1 };
  const client = new EndpointClient(data, { timeouts: DEFAULT_TIMEOUTS, retry, proxies: {} });
  context.after(() => client.close());
  (await client.get('manifests/latest')).discard();
  (await client.get('manifests/latest')).discard();
  assert.deepEqual([registry.requests.length, hellos], [2, 1]);
});

async function tlsRegistry(context: TestContext): Promise<TestRegistry> {
  const registry = await TestRegistry.start({ tls: new TestAuthority('stranger').issue(['reg.example']) });
  context.after(() => registry.close());
  put(registry, 'my/image', IMAGE);
  return registry;
}

test('a registry with TLS, but no valid certificate', async (context) => {
  const registry = await tlsRegistry(context);
  assert.deepEqual(await ask(registry.host), { scheme: 'https', status: 200 });
  assert.deepEqual(
    registry.requests.map(({ url }) => url),
    ['/v2/', '/v2/my/image/manifests/latest'],
  );
});

test('with TLS there is something else than a registry', async (context) => {
  const web = await tlsRegistry(context);
  web.addFault({ type: 'status', status: 404, body: 'no registry' });
  const registry = await plainRegistry(context);
  const host = await sniff(context, registry.host, (socket) => passOn(socket, web.host));
  // The first bytes are gone by now, so that TLS fails in another way than with a 404; directly it does not.
  assert.deepEqual(await ask(host), PLAIN);
  assert.match(
    await failure(ask(web.host).then(({ status }) => Promise.reject(new ComposefsError('TIMEOUT', `${status}`)))),
    /^TIMEOUT 404/,
  );
});

function passOn(socket: Socket, host: string): void {
  const onward = connect(Number(host.split(':')[1]), '127.0.0.1');
  onward.on('error', () => socket.destroy());
  socket.pipe(onward).pipe(socket);
}

test('a registry with TLS that does not answer well at /v2/ is still asked over TLS', async (context) => {
  const registry = await tlsRegistry(context);
  registry.addFault({ type: 'status', status: 503 }, { path: '/v2/' });
  assert.deepEqual(await ask(registry.host), { scheme: 'https', status: 200 });
});

test('if both ways fail, both are told', async (context) => {
  assert.match(await failure(ask('127.0.0.1:1')), /^ECONNREFUSED Nothing listens at 127\.0\.0\.1:1$/);
  const host = await sniff(context, '127.0.0.1:1', () => undefined);
  assert.match(
    await failure(ask(host, { timeouts: { connectMs: 200 } })),
    /^ECONNRESET The connection to http:.* failed \(ECONNRESET\); with TLS: 127\.0\.0\.1:\d+ cannot be connected within 0\.2 seconds$/,
  );
});

test('a refusal over TLS is final: nothing goes there in clear', async (context) => {
  const registry = await TestRegistry.start({
    tls: new TestAuthority('stranger').issue([]),
    auth: { type: 'basic', users: {} },
  });
  context.after(() => registry.close());
  put(registry, 'my/image', IMAGE);
  assert.match(await failure(ask(registry.host)), /^UNAUTHORIZED /);
});

/** A proxy for requests without TLS, which answers `CONNECT` with `status`, or not at all. */
async function startProxy(context: TestContext, target: string, status: number | undefined): Promise<string> {
  return await sniffProxy(context, (head, socket) => {
    if (head.startsWith('CONNECT ')) {
      if (status !== undefined) socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const onward = connect(Number(target.split(':')[1]), '127.0.0.1');
    onward.on('error', () => socket.destroy());
    onward.write(head.replace(/^GET http:\/\/[^/]*/, 'GET '));
    socket.pipe(onward).pipe(socket);
  });
}

async function sniffProxy(context: TestContext, onHead: (head: string, socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', (data) => onHead(data.toString('latin1'), socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const status of [403, 405, 502, undefined]) {
  test(`through a proxy that ${status === undefined ? 'hangs' : `says ${status}`} when TLS is wanted`, async (context) => {
    const registry = await plainRegistry(context);
    const proxy = await startProxy(context, registry.host, status);
    const timeouts = { connectMs: 300 };
    assert.deepEqual(await ask('reg.example:5000', { proxies: { https: proxy, http: proxy }, timeouts }), PLAIN);
    assert.equal(registry.requests.length, 1);
    assert.equal(registry.requests[0]?.headers['host'], 'reg.example:5000');
  });
}
