import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { RegistryError } from '../model/registry-error.js';
import { ConnectionClosed, HttpConnection, type SocketInput } from './http-connection.js';
import { Inbox } from './inbox.js';
import { networkError } from './network-error.js';
import { secureContext, type TlsTrust } from './secure-context.js';

const SYSTEM_TRUST: TlsTrust = { material: undefined, verify: true, showsCertificate: false };
const KEEP_ALIVE_MS = 15_000;
/** What is read at a time: as much as TLS and the kernel give at once. */
const READ_BYTES = 64 << 10;

/**
 * A connection for requests to `url`, with TLS if it says `https:`. The requests for `http:` through a proxy are the
 * proxy's, and their connection ends there.
 *
 * @throws RegistryError; the signal's reason.
 */
export async function openConnection(
  url: URL,
  proxy: URL | undefined,
  trust: TlsTrust,
  signal: AbortSignal,
): Promise<HttpConnection> {
  if (proxy === undefined) return await connectDirectly(url, trust, signal);
  if (url.protocol === 'http:') return await connectDirectly(proxy, SYSTEM_TRUST, signal);
  const toProxy = await connect(proxy, SYSTEM_TRUST, signal);
  const tunnelled = await tunnel(toProxy, proxy, hostAndPort(url), signal);
  return new HttpConnection(await secure(url, { socket: tunnelled }, trust, signal));
}

/** A connection whose bytes go from the socket into memory that is used again and again. */
async function connectDirectly(url: URL, trust: TlsTrust, signal: AbortSignal): Promise<HttpConnection> {
  const input: SocketInput = { inbox: new Inbox(), onInput: () => undefined };
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (count, buffer) => {
      input.inbox.append(buffer.subarray(0, count));
      input.onInput();
      return true;
    },
  };
  return new HttpConnection(await connect(url, trust, signal, onread), input);
}

/** Where TLS is spoken: over a socket that is connected, or one that is to be. */
type WayToHost =
  | { readonly socket: Socket }
  | { readonly host: string; readonly port: number; readonly onread?: OnReadOpts };

async function connect(url: URL, trust: TlsTrust, signal: AbortSignal, onread?: OnReadOpts): Promise<Socket> {
  const { host, port } = address(url);
  const options = { host, port, ...(onread !== undefined && { onread }) };
  if (url.protocol === 'https:') return await secure(url, options, trust, signal);
  const socket = connectTcp(options);
  await ready(socket, 'connect', url, signal);
  return keptAlive(socket);
}

function keptAlive(socket: Socket): Socket {
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
}

/**
 * TLS to the host of `url`, directly or through a socket that leads there. Every TLS connection is made here: the
 * certificate must be for that host, name or address, whatever is in between. Node.js compares it with `host` where there
 * is no `servername`, which cannot be an address (RFC 6066 §3).
 */
async function secure(url: URL, way: WayToHost, trust: TlsTrust, signal: AbortSignal): Promise<Socket> {
  const host = address(url).host;
  const name = host.replace(/\.$/, '');
  try {
    const overTls = connectTls({
      host,
      ...way,
      ...(isIP(name) === 0 && { servername: name }),
      secureContext: secureContext(trust),
      rejectUnauthorized: trust.verify,
      ALPNProtocols: ['http/1.1'],
    });
    await ready(overTls, 'secureConnect', url, signal);
    return keptAlive(overTls);
  } catch (error) {
    if ('socket' in way) way.socket.destroy();
    throw error;
  }
}

/** The header that a proxy wants for the user and the password in its URL. */
export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const text = `${unescaped(proxy.username)}:${unescaped(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

/** A `%` that escapes nothing, as in a password that somebody typed, stays. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The lines of a request without a body, as they go over the wire. */
export function requestText(start: string, headers: Readonly<Record<string, string>>): string {
  const lines = [start, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  // Whatever a challenge or a file of credentials says: it stays one request.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (lines.some((line) => /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(line))) {
    throw new RegistryError('INVALID_REQUEST', 'A request would have a control character in a header');
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function address(url: URL): { host: string; port: number } {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

function hostAndPort(url: URL): string {
  return `${url.hostname}:${address(url).port}`;
}

/** Has a proxy connect `socket` to `authority` (`CONNECT`). */
async function tunnel(socket: Socket, proxy: URL, authority: string, signal: AbortSignal): Promise<Socket> {
  const refuse = (why: string, retriable: boolean): RegistryError => {
    const hint = 'Check HTTPS_PROXY and NO_PROXY in the environment.';
    const message = `The proxy ${proxy.host} does not connect to ${authority}: ${why}`;
    return new RegistryError('PROXY_REFUSED', message, { hint, retriable });
  };
  const connection = new HttpConnection(socket);
  const onAbort = (): void => connection.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const headers = { host: authority, ...proxyAuthorization(proxy) };
    const { status } = await connection.send(requestText(`CONNECT ${authority} HTTP/1.1`, headers));
    if (status < 200 || status > 299) throw refuse(`status ${status}`, status >= 500);
    const detached = connection.detach();
    if (detached === undefined) throw refuse('more than an answer came', true);
    return detached;
  } catch (error) {
    connection.destroy();
    signal.throwIfAborted();
    throw networkError(error, proxy);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Waits until the socket is connected. Whatever else happens, it is closed. */
async function ready(socket: Socket, event: string, url: URL, signal: AbortSignal): Promise<void> {
  const onAbort = (): void => {
    socket.destroy(new Error('aborted'));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve);
      // Whoever uses the socket hears of its later errors in another way; this one keeps them from being thrown.
      socket.on('error', reject);
      socket.once('close', () => reject(new ConnectionClosed('the connection was closed')));
    });
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw networkError(error, url);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
