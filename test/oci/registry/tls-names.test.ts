import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { errorCode } from '../../../src/errors.js';
import type { TlsMaterial } from '../../../src/oci/containers-config/certs-d.js';
import { DEFAULT_TIMEOUTS } from '../../../src/oci/http/timeouts.js';
import { EndpointClient } from '../../../src/oci/registry/endpoint-client.js';
import { TestAuthority, type TestCertificate } from '../../support/certificates.js';

/**
 * Whose certificate is taken for a registry's: that of its own name or address, whichever way the connection goes.
 * Hosts beyond the proxy do not exist; the proxy connects every one of them to the same server.
 */

const AUTHORITY = new TestAuthority('test authority');
const STRANGER = new TestAuthority('strange authority');
/** Without TLS nothing goes anywhere. */
const NO_PROXY = 'http://127.0.0.1:1';
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

  /** @param challenge - of a 401, for requests without `Authorization`. */
  static async start(certificate: TestCertificate, challenge: string = 'Basic realm="x"'): Promise<SeeingRegistry> {
    const registry = new SeeingRegistry();
    const serve = (): Server =>
      createHttpsServer({ ...certificate, requestCert: true, rejectUnauthorized: false }, (request, response) => {
        const peer = (request.socket as TLSSocket).getPeerCertificate();
        const { authorization } = request.headers;
        registry.seen.push({ authorization, client: peer.subject === undefined ? undefined : String(peer.subject.CN) });
        if (authorization === undefined) response.writeHead(401, { 'www-authenticate': challenge });
        response.end('{"token":"t"}');
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

/** Makes an authority the only one that the system trusts. */
function trustInSystem(authority: TestAuthority, onEnd: (undo: () => void) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'composefs-oci-test-'));
  writeFileSync(join(directory, 'roots.pem'), authority.cert);
  const before = process.env['SSL_CERT_FILE'];
  process.env['SSL_CERT_FILE'] = join(directory, 'roots.pem');
  onEnd(() => {
    if (before === undefined) delete process.env['SSL_CERT_FILE'];
    else process.env['SSL_CERT_FILE'] = before;
    rmSync(directory, { recursive: true });
  });
}

interface Attempt {
  readonly host: string;
  readonly proxy?: string;
  readonly tls?: TlsMaterial;
  readonly insecure?: boolean;
  readonly insecureElsewhere?: boolean;
}

async function request({ host, proxy, tls, insecure = false, insecureElsewhere = false }: Attempt): Promise<string> {
  const client = new EndpointClient(
    {
      host,
      repository: 'a/b',
      insecure,
      insecureElsewhere,
      tls: tls ?? { ca: [AUTHORITY.cert], origin: 'the test' },
      credentials: { username: 'ann', password: 'secret', origin: 'the test' },
    },
    {
      timeouts: DEFAULT_TIMEOUTS,
      retry: RETRY,
      proxies: proxy === undefined ? {} : { https: proxy, http: NO_PROXY },
    },
  );
  try {
    const response = await client.get('manifests/latest');
    return (await response.bytes(100)).toString();
  } finally {
    client.close();
  }
}

/** What is in the answer, or the code of the error. */
async function outcome(attempt: Attempt): Promise<string> {
  return await request(attempt).catch(errorCode);
}

const BODY = '{"token":"t"}';
const BASIC = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
const ACCEPTED: readonly Seen[] = [
  { authorization: undefined, client: undefined },
  { authorization: BASIC, client: undefined },
];

describe('the name in the certificate', () => {
  // Reading the real roots takes longer than all else here.
  trustInSystem(new TestAuthority('unused'), (undo) => after(undo));
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
        assert.equal(await outcome(attempt), isRight ? BODY : 'TLS_CERTIFICATE', what);
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

  test('another authority counts only where no certificate has to be valid', async () => {
    const registry = await SeeingRegistry.start(STRANGER.issue(['localhost', '10.99.99.99']));
    const proxy = await startProxy(registry.port4);
    for (const attempt of [{ host: `localhost:${registry.port4}` }, { host: '10.99.99.99', proxy: proxy.url }]) {
      assert.equal(await outcome(attempt), 'TLS_CERTIFICATE');
      assert.deepEqual(registry.seen, []);
      assert.equal(await outcome({ ...attempt, tls: { ca: [STRANGER.cert], origin: 'certs.d' } }), BODY);
      assert.equal(await outcome({ ...attempt, insecure: true }), BODY);
      registry.seen.length = 0;
    }
  });

  test('a proxy over TLS has its own certificate, which the system has to trust', async (context) => {
    const registry = await SeeingRegistry.start(AUTHORITY.issue(['10.99.99.99']));
    const proxy = await startProxy(registry.port4, STRANGER.issue(['localhost', '10.99.99.99']));
    const attempt = { host: '10.99.99.99', proxy: proxy.url };
    assert.equal(await outcome(attempt), 'TLS_CERTIFICATE');
    // What the registry is excused from, the proxy is not.
    assert.equal(await outcome({ ...attempt, insecure: true }), 'ECONNREFUSED');
    assert.deepEqual(proxy.asked, []);

    trustInSystem(STRANGER, (undo) => context.after(undo));
    assert.equal(await outcome(attempt), BODY);
    assert.deepEqual(proxy.asked, ['10.99.99.99:443']);
    assert.deepEqual(registry.seen, ACCEPTED);
    // The proxy's certificate is right for the name, and by an authority that the system trusts: then it is the registry.
    registry.seen.length = 0;
    const other = await SeeingRegistry.start(STRANGER.issue(['localhost']));
    const toOther = await startProxy(other.port4, STRANGER.issue(['localhost']));
    assert.equal(await outcome({ ...attempt, proxy: toOther.url }), 'TLS_CERTIFICATE');
    assert.deepEqual(other.seen, []);
  });

  test('a client certificate is shown to the registry, directly and through a proxy', async () => {
    const registry = await SeeingRegistry.start(AUTHORITY.issue(['localhost', '10.99.99.99']));
    const proxy = await startProxy(registry.port4);
    const tls = { ca: [AUTHORITY.cert], ...AUTHORITY.issue([], 'ann'), origin: 'certs.d' };
    for (const attempt of [{ host: `localhost:${registry.port4}` }, { host: '10.99.99.99', proxy: proxy.url }]) {
      registry.seen.length = 0;
      assert.equal(await outcome({ ...attempt, tls }), BODY);
      assert.deepEqual(
        registry.seen,
        ACCEPTED.map((each) => ({ ...each, client: 'ann' })),
      );
    }
  });

  test('a token service at another port does not see it; the authority counts there, too', async () => {
    const service = await SeeingRegistry.start(AUTHORITY.issue(['localhost']), 'Basic realm="x"');
    const challenge = `Bearer realm="https://localhost:${service.port4}/token"`;
    const registry = await SeeingRegistry.start(AUTHORITY.issue(['localhost']), challenge);
    const tls = { ca: [AUTHORITY.cert], ...AUTHORITY.issue([], 'ann'), origin: 'certs.d' };
    assert.equal(await outcome({ host: `localhost:${registry.port4}`, tls }), BODY);
    assert.deepEqual(service.seen, [{ authorization: BASIC, client: undefined }]);
    assert.deepEqual(registry.seen, [
      { authorization: undefined, client: 'ann' },
      { authorization: 'Bearer t', client: 'ann' },
    ]);
  });

  test('an insecure registry does not make its token service insecure, unless all are', async () => {
    const service = await SeeingRegistry.start(STRANGER.issue(['127.0.0.1']));
    const challenge = `Bearer realm="https://127.0.0.1:${service.port4}/token"`;
    const registry = await SeeingRegistry.start(STRANGER.issue(['localhost']), challenge);
    const attempt = { host: `localhost:${registry.port4}`, insecure: true };
    assert.equal(await outcome(attempt), 'TLS_CERTIFICATE');
    await assert.rejects(request(attempt), {
      code: 'TLS_CERTIFICATE',
      hint: new RegExp(`^It is the token service of ${attempt.host}, .*/certs\\.d/${attempt.host}/ca\\.crt `),
    });
    assert.deepEqual(service.seen, []);
    assert.equal(await outcome({ ...attempt, tls: { ca: [STRANGER.cert], origin: 'certs.d' } }), BODY);
    assert.equal(await outcome({ ...attempt, insecureElsewhere: true }), BODY);
    assert.deepEqual(
      service.seen.map(({ authorization }) => authorization),
      [BASIC, BASIC],
    );

    // Another port of the same host is not elsewhere.
    const sameHost = await SeeingRegistry.start(STRANGER.issue(['localhost']));
    const near = await SeeingRegistry.start(
      STRANGER.issue(['localhost']),
      `Bearer realm="https://localhost:${sameHost.port4}/token"`,
    );
    assert.equal(await outcome({ host: `localhost:${near.port4}`, insecure: true }), BODY);
  });

  test('a registry with TLS, be it insecure, has no token service without', async () => {
    const challenge = 'Bearer realm="http://127.0.0.1:1/token"';
    const registry = await SeeingRegistry.start(AUTHORITY.issue(['localhost']), challenge);
    const host = `localhost:${registry.port4}`;
    assert.equal(await outcome({ host }), 'INSECURE_TOKEN_REALM');
    assert.equal(await outcome({ host, insecure: true }), 'INSECURE_TOKEN_REALM');
    assert.equal(await outcome({ host, insecure: true, insecureElsewhere: true }), 'ECONNREFUSED');
  });
});
