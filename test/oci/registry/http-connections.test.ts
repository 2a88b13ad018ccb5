import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { HttpClient } from '../../../src/oci/http/http.js';
import { DEFAULT_TIMEOUTS, type HttpTimeouts } from '../../../src/oci/http/timeouts.js';

/** Bytes as a server sends them, with or without closing the connection. */
interface RawAnswer {
  readonly bytes: string | Buffer;
  readonly closes?: boolean;
}

interface RawServer {
  readonly url: URL;
  /** The requests, by the number of the connection that they came over. */
  readonly requests: { readonly connection: number; readonly text: string }[];
  readonly sockets: Socket[];
  readonly client: HttpClient;
}

/** A server that answers request number n with what `answer` gives for it, and a client. */
async function serve(
  context: TestContext,
  answer: (n: number, socket: Socket) => RawAnswer | undefined,
  timeouts: Partial<HttpTimeouts> = {},
): Promise<RawServer> {
  const requests: RawServer['requests'] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const connection = sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      requests.push({ connection, text: data.toString('latin1') });
      const { bytes, closes } = answer(requests.length, socket) ?? {};
      if (bytes !== undefined) socket.write(bytes);
      if (closes === true) socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new HttpClient({ host, verify: true, proxies: {}, timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts } });
  context.after(() => {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: new URL(`http://${host}/v2/`), requests, sockets, client };
}

async function get({ client, url }: RawServer, signal?: AbortSignal): Promise<string> {
  const response = await client.request({ url, signal });
  return (await response.bytes(1 << 20)).toString('latin1');
}

const BODY = 'hello, world';
const OK = 'HTTP/1.1 200 OK\r\n';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const CHUNKS = `5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nX-Sum: 1\r\n\r\n`;

test('a request as it goes over the wire', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }));
  const url = new URL('/a/b?c=d%2F', server.url);
  const response = await server.client.request({ url, headers: { accept: 'x/y', authorization: 'Basic eA==' } });
  assert.equal((await response.bytes(100)).toString(), BODY);
  await (await server.client.request({ url, form: new URLSearchParams({ grant_type: 'a b' }) })).bytes(100);
  const head = `host: ${url.host}\r\nuser-agent: composefs-oci\r\naccept-encoding: identity\r\n`;
  assert.deepEqual(server.requests, [
    { connection: 1, text: `GET /a/b?c=d%2F HTTP/1.1\r\n${head}accept: x/y\r\nauthorization: Basic eA==\r\n\r\n` },
    {
      connection: 1,
      text: `POST /a/b?c=d%2F HTTP/1.1\r\n${head}content-type: application/x-www-form-urlencoded\r\ncontent-length: 14\r\n\r\ngrant_type=a+b`,
    },
  ]);
});

test('a header that would end early is not sent', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }));
  for (const authorization of ['a\r\nX: y', 'a\nb', 'a\0', '\u0100']) {
    await assert.rejects(server.client.request({ url: server.url, headers: { authorization } }), {
      code: 'INVALID_REQUEST',
    });
  }
  assert.deepEqual(server.requests, []);
});

/** Answers, and whether the next request may go over the same connection. */
for (const [what, bytes, isReused] of [
  ['a length', `${OK}${LENGTH}\r\n${BODY}`, true],
  ['chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`, true],
  ['interim answers', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}${LENGTH}\r\n${BODY}`, true],
  ['version 1.0', `HTTP/1.0 200 OK\r\n${LENGTH}\r\n${BODY}`, false],
  ['length and chunks', `${OK}${LENGTH}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`, false],
  ['a length twice', `${OK}${LENGTH}${LENGTH}\r\n${BODY}`, false],
  ['LF', `${OK}${LENGTH}\r\n`.replaceAll('\r', '') + BODY, false],
  ['folded headers', `${OK}X-A: one\r\n  two\r\n${LENGTH}\r\n${BODY}`, false],
  ['a blank before the colon', `${OK}X-A : one\r\n${LENGTH}\r\n${BODY}`, false],
  ['more than the body', `${OK}${LENGTH}\r\n${BODY}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`, false],
  ['Connection: close', `${OK}Connection: close\r\n${LENGTH}\r\n${BODY}`, false],
] as const) {
  test(`an answer with ${what} is read, and the connection ${isReused ? 'used again' : 'closed'}`, async (context) => {
    const server = await serve(context, () => ({ bytes }));
    assert.equal(await get(server), BODY);
    assert.equal(await get(server), BODY);
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      isReused ? [1, 1] : [1, 2],
    );
  });
}

test('an answer that ends with its connection', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}\r\n${BODY}`, closes: true }));
  assert.equal(await get(server), BODY);
});

test('an answer byte by byte', async (context) => {
  const server = await serve(context, (_, socket) => {
    const send = async (): Promise<void> => {
      for (const byte of `${OK}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`) {
        socket.write(byte);
        await setTimeout(0);
      }
    };
    void send();
    return undefined;
  });
  assert.equal(await get(server), BODY);
});

for (const [what, bytes] of [
  ['nothing', ''],
  ['half a head', OK],
  ['a part of the length', `${OK}${LENGTH}\r\nhello`],
  ['a part of the chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`],
  ['chunks without an end', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`],
] as const) {
  test(`${what}, and the connection is closed`, async (context) => {
    const server = await serve(context, () => ({ bytes, closes: true }));
    await assert.rejects(get(server), { code: 'ECONNRESET', retriable: true });
    assert.equal(server.requests.length, 1);
  });
}

test('what is no HTTP is said to be none', async (context) => {
  const server = await serve(context, () => ({ bytes: 'SSH-2.0-OpenSSH_9.2p1\r\n' }));
  await assert.rejects(get(server), {
    code: 'BAD_RESPONSE',
    message: `${server.url.host} does not answer as an HTTP server should: the answer does not begin with a status`,
  });
});

test('a connection that was closed while nobody used it is replaced', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }));
  assert.equal(await get(server), BODY);
  server.sockets[0]?.destroy();
  await setTimeout(20);
  assert.equal(await get(server), BODY);
});

test('a connection that is closed with the next request is replaced, one that is new is not', async (context) => {
  const server = await serve(context, (n, socket) => {
    if (n === 1 || n === 3) return { bytes: `${OK}${LENGTH}\r\n${BODY}` };
    socket.destroy();
    return undefined;
  });
  assert.equal(await get(server), BODY);
  assert.equal(await get(server), BODY);
  assert.deepEqual(
    server.requests.map(({ connection }) => connection),
    [1, 1, 2],
  );
  server.sockets[1]?.destroy();
  await setTimeout(20);
  await assert.rejects(get(server), { code: 'ECONNRESET' });
  assert.equal(server.requests.length, 4);
});

test('what comes unasked is not taken for an answer', async (context) => {
  const server = await serve(context, (n) => ({ bytes: `${OK}Content-Length: 1\r\n\r\n${n}` }));
  assert.equal(await get(server), '1');
  server.sockets[0]?.write(`${OK}Content-Length: 4\r\n\r\nevil`);
  await setTimeout(20);
  assert.equal(await get(server), '2');
  assert.deepEqual(
    server.requests.map(({ connection }) => connection),
    [1, 2],
  );
});

test('a short body that nobody wants does not cost the connection, a long one does', async (context) => {
  const server = await serve(context, (n) => ({
    bytes: `${OK}Content-Length: ${n === 1 ? 10 : 100_000}\r\n\r\n${'x'.repeat(n === 1 ? 10 : 50_000)}`,
  }));
  (await server.client.request({ url: server.url })).discard();
  await setTimeout(20);
  (await server.client.request({ url: server.url })).discard();
  await setTimeout(20);
  (await server.client.request({ url: server.url })).discard();
  assert.deepEqual(
    server.requests.map(({ connection }) => connection),
    [1, 1, 2],
  );
});

test('times: for the head, and between two pieces', async (context) => {
  const silent = await serve(context, () => undefined, { headersMs: 50 });
  await assert.rejects(get(silent), { code: 'TIMEOUT', message: /does not answer within 0\.05 seconds$/ });
  const stalled = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\nhello` }), { idleMs: 50 });
  await assert.rejects(get(stalled), { code: 'TIMEOUT', message: /has sent nothing for 0\.05 seconds$/ });
});

/** One byte after the other, with a pause between them. */
function dribble(pauseMs: number): (n: number, socket: Socket) => undefined {
  return (_, socket) => {
    socket.write(`${OK}\r\n`);
    const timer = setInterval(() => socket.write('x'), pauseMs);
    socket.on('close', () => clearInterval(timer));
  };
}

test('a body that comes too slowly is given up', async (context) => {
  const timeouts = { minBytesPerSecond: 1000, rateMs: 200 };
  await assert.rejects(get(await serve(context, dribble(5), timeouts)), {
    code: 'TIMEOUT',
    retriable: true,
    message: /^127\.0\.0\.1:\d+ sends too slowly: \d+ bytes in 0 seconds$/,
    hint: /--min-rate/,
  });
  // Any rate will do, and the body has no end.
  const patient = await serve(context, dribble(5), { ...timeouts, minBytesPerSecond: 0, totalMs: 500 });
  await assert.rejects(get(patient), { code: 'TIMEOUT', message: /takes longer than 0\.5 seconds$/ });
});

test('the rate is that of the server, not of the reader', async (context) => {
  const timeouts = { minBytesPerSecond: 100_000, rateMs: 50 };
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }), timeouts);
  const response = await server.client.request({ url: server.url });
  for await (const chunk of response.body()) {
    assert.equal(chunk.toString(), BODY);
    await setTimeout(100);
  }
});

test('a head that dribbles has no more time than another', async (context) => {
  const fields = (_: number, socket: Socket): undefined => {
    const timer = setInterval(() => socket.write('X: y\r\n'), 10);
    socket.on('close', () => clearInterval(timer));
    socket.write(OK);
  };
  await assert.rejects(get(await serve(context, fields, { headersMs: 100 })), { code: 'TIMEOUT' });
});

test('an abort ends a request in each of its parts', async (context) => {
  for (const bytes of ['', OK, `${OK}${LENGTH}\r\nhello`]) {
    const server = await serve(context, () => ({ bytes }));
    const controller = new AbortController();
    const reading = get(server, controller.signal);
    await setTimeout(30);
    controller.abort(new Error('enough'));
    await assert.rejects(reading, { message: 'enough' });
  }
  const controller = new AbortController();
  controller.abort(new Error('enough'));
  const server = await serve(context, () => undefined);
  await assert.rejects(get(server, controller.signal), { message: 'enough' });
  assert.equal(server.sockets.length, 0);
});

test('a reader that is slow does not have the body in memory', async (context) => {
  const size = 50 << 20;
  const server = await serve(context, (_, socket) => {
    socket.write(`${OK}Content-Length: ${size}\r\n\r\n`);
    for (let sent = 0; sent < size; sent += 1 << 20) socket.write(Buffer.alloc(1 << 20));
    return undefined;
  });
  const response = await server.client.request({ url: server.url });
  await setTimeout(200);
  // Half of it would have come by now; the rest is with the server.
  assert.ok((server.sockets[0]?.writableLength ?? 0) > size / 2);
  let received = 0;
  for await (const chunk of response.body()) received += chunk.length;
  assert.equal(received, size);
});

test('connections that are made ahead serve the requests that come, and end with the client', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }));
  server.client.prepare(server.url, 3);
  while (server.sockets.length < 3) await setTimeout(1);
  const bodies = await Promise.all([get(server), get(server)]);
  assert.deepEqual(bodies, [BODY, BODY]);
  assert.equal(server.sockets.length, 3);
  assert.equal(new Set(server.requests.map(({ connection }) => connection)).size, 2);
  const closed = Promise.all(server.sockets.map((socket) => once(socket, 'close')));
  server.client.close();
  for (const socket of server.sockets) socket.end();
  await closed;
});

test('a connection that was made ahead and is gone, or cannot be made, is replaced', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }));
  server.client.prepare(server.url, 1);
  while (server.sockets.length < 1) await setTimeout(1);
  server.sockets[0]?.destroy();
  assert.equal(await get(server), BODY);
  assert.equal(server.sockets.length, 2);

  const nowhere = new URL('http://127.0.0.1:1/');
  server.client.prepare(nowhere, 2);
  await assert.rejects(server.client.request({ url: nowhere }), { code: 'ECONNREFUSED' });
});

test('a request that is stopped while it waits for such a connection closes it', async (context) => {
  const server = await serve(context, () => ({ bytes: `${OK}${LENGTH}\r\n${BODY}` }));
  server.client.prepare(server.url, 1);
  const stop = new AbortController();
  const request = server.client.request({ url: server.url, signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(request, /enough/);
  while (server.sockets.length < 1) await setTimeout(1);
  const [socket] = server.sockets;
  if (socket?.closed === false) await once(socket.resume(), 'end');
  assert.equal(server.requests.length, 0);
});

test('pieces of a body stay what they are until the next one is asked for, however fast the server is', async (context) => {
  const size = 5_000_000;
  const body = Buffer.alloc(size);
  for (let index = 0; index < size; index += 4) body.writeUInt32LE(index, index);
  const server = await serve(context, () => ({
    bytes: Buffer.concat([Buffer.from(`${OK}Content-Length: ${size}\r\n\r\n`), body]),
  }));
  const response = await server.client.request({ url: server.url });
  let received = 0;
  for await (const piece of response.body()) {
    // The socket fills the other block meanwhile.
    await setTimeout(received % 3);
    assert.ok(piece.equals(body.subarray(received, received + piece.length)));
    received += piece.length;
  }
  assert.equal(received, size);
});
