import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { after, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { errorCode } from '../../../src/errors.js';
import { EndpointClient } from '../../../src/oci/registry/endpoint-client.js';
import { DEFAULT_TIMEOUTS } from '../../../src/oci/registry/http.js';
import type { TlsMaterial } from '../../../src/oci/registry/tls.js';
import { TestAuthority, type TestCertificate } from '../../support/certificates.js';

/**
 * Whose certificate is taken for a registry's: that of its own name or address, whichever way the connection goes.
 * Hosts beyond the proxy do not exist; the proxy connects every one of them to the same server.
 */

const AUTHORITY = new TestAuthority('test authority');
const RETRY = { attempts: 1, baseMs: 1, maxMs: 1, maxRetryAfterMs: 1 };

/** What a registry has seen of a request. */
interface Seen {
  readonly authorization: string | undefined;
  /** Common name of the client's certificate. */
  readonly client: string | undefined;
}

const servers: Server[] = [];

async function listen(server: Server, address: string): Promise<number> {
  servers.push(server);
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A registry with a certificate, at 127.0.0.1 and ::1. */
class SeeingRegistry {
  readonly seen: Seen[] = [];
  port4 = 0;
  port6 = 0;

  static async start(certificate: TestCertificate): Promise<SeeingRegistry> {
    const registry = new SeeingRegistry();
    const serve = (): Server =>
      createHttpsServer({ ...certificate, requestCert: true, rejectUnauthorized: false }, (request, response) => {
        const peer = (request.socket as TLSSocket).getPeerCertificate();
        const { authorization } = request.headers;
        registry.seen.push({ authorization, client: peer.subject === undefined ? undefined : String(peer.subject.CN) });
        if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' });
        response.end('{}');
      });
    registry.port4 = await listen(serve(), '127.0.0.1');
    registry.port6 = await listen(serve(), '::1');
    return registry;
  }
}

/** A proxy, over TLS with a certificate, that connects whatever it is asked for to one port of 127.0.0.1. */
async function startProxy(target: number, certificate?: TestCertificate): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = certificate === undefined ? createHttpServer() : createHttpsServer(certificate);
  server.on('connect', (request, socket) => {
    asked.push(String(request.url));
    const onward = connect(target, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  });
  const port = await listen(server, '127.0.0.1');
  return { url: `${certificate === undefined ? 'http' : 'https'}://localhost:${port}`, asked };
}

interface Attempt {
  readonly host: string;
  readonly proxy?: string;
  readonly tls?: TlsMaterial;
  readonly insecure?: boolean;
}

async function outcome({ host, proxy, tls, insecure = false }: Attempt): Promise<string> {
  const client = new EndpointClient(
    {
      host,
      repository: 'a/b',
      insecure,
      tls: tls ?? { ca: [AUTHORITY.cert], origin: 'the test' },
      credentials: { username: 'ann', password: 'secret', origin: 'the test' },
    },
    { timeouts: DEFAULT_TIMEOUTS, retry: RETRY, proxies: proxy === undefined ? {} : { https: proxy } },
  );
  try {
    const response = await client.get('manifests/latest');
    return (await response.bytes(100)).toString();
  } catch (error) {
    return errorCode(error);
  } finally {
    client.close();
  }
}

const BASIC = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
const ACCEPTED: readonly Seen[] = [
  { authorization: undefined, client: undefined },
  { authorization: BASIC, client: undefined },
];

describe('the name in the certificate', () => {
  after(() => {
    for (const server of servers) server.close();
  });

  // `names` of the certificate; the hosts for which it is right, directly and through a proxy.
  const CERTIFICATES: readonly (readonly [
    names: readonly string[],
    direct: readonly string[],
    proxied: readonly string[],
  ])[] = [
    [['localhost'], ['localhost'], []],
    [['127.0.0.1'], ['127.0.0.1'], []],
    [['::1'], ['[::1]'], []],
    [['reg.example'], [], ['reg.example']],
    [['10.99.99.99'], [], ['10.99.99.99']],
    [['fd00::5'], [], ['[fd00::5]']],
    [['evil.example', '192.0.2.1'], [], []],
    [['10.99.99.99', 'localhost', '::1'], ['localhost', '[::1]'], ['10.99.99.99']],
    [[], [], []],
  ];
  const DIRECT = ['localhost', '127.0.0.1', '[::1]'];
  const PROXIED = ['reg.example', '10.99.99.99', '[fd00::5]'];

  for (const [names, direct, proxied] of CERTIFICATES) {
    test(`of ${names.join(', ') || 'nobody'}`, async () => {
      const registry = await SeeingRegistry.start(AUTHORITY.issue(names));
      const plainProxy = await startProxy(registry.port4);
      const check = async (attempt: Attempt, isRight: boolean): Promise<void> => {
        registry.seen.length = 0;
        const what = `${attempt.host} through ${attempt.proxy ?? 'nothing'}`;
        assert.equal(await outcome(attempt), isRight ? '{}' : 'TLS_CERTIFICATE', what);
        assert.deepEqual(registry.seen, isRight ? ACCEPTED : [], what);
      };
      for (const name of DIRECT) {
        const port = name === '[::1]' ? registry.port6 : registry.port4;
        await check({ host: `${name}:${port}` }, direct.includes(name));
      }
      for (const name of PROXIED) {
        await check({ host: `${name}:5000`, proxy: plainProxy.url }, proxied.includes(name));
        await check({ host: name, proxy: plainProxy.url.replace('localhost', '127.0.0.1') }, proxied.includes(name));
      }
      assert.deepEqual(new Set(plainProxy.asked), new Set(PROXIED.flatMap((name) => [`${name}:5000`, `${name}:443`])));
    });
  }
});
