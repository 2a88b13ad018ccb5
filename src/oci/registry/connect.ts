import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { ConnectionClosed, HttpConnection } from './http-connection.js';
import { networkError } from './network-error.js';
import { RegistryError } from './registry-error.js';
import { trustedRoots } from './system-roots.js';
import type { TlsMaterial } from './tls.js';

/** How to trust the other side of a connection, and what to show it. */
export interface TlsTrust {
  readonly material: TlsMaterial | undefined;
  /** False: any certificate is accepted. */
  readonly verify: boolean;
  /** The certificate in `material` is shown to a server that asks for one. */
  readonly showsCertificate: boolean;
}

const SYSTEM_TRUST: TlsTrust = { material: undefined, verify: true, showsCertificate: false };
const KEEP_ALIVE_MS = 15_000;

/** Opens sockets to servers, with TLS and through proxies. */
export class Connector {
  readonly #contexts = new Map<string, SecureContext>();

  /**
   * A connection for requests to `url`, with TLS if it says `https:`. The requests for `http:` through a proxy are the
   * proxy's, and their connection ends there.
   *
   * @throws RegistryError; the signal's reason.
   */
  async open(url: URL, proxy: URL | undefined, trust: TlsTrust, signal: AbortSignal): Promise<HttpConnection> {
    if (proxy === undefined) return new HttpConnection(await this.#socket(url, trust, signal));
    const toProxy = await this.#socket(proxy, SYSTEM_TRUST, signal);
    if (url.protocol === 'http:') return new HttpConnection(toProxy);
    const tunnelled = await tunnel(toProxy, proxy, hostAndPort(url), signal);
    return new HttpConnection(await this.#secure(url, tunnelled, trust, signal));
  }

  async #socket(url: URL, trust: TlsTrust, signal: AbortSignal): Promise<Socket> {
    const { host, port } = address(url);
    const socket = connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    await ready(socket, 'connect', url, signal);
    return url.protocol === 'https:' ? await this.#secure(url, socket, trust, signal) : socket;
  }

  /**
   * TLS over a socket that leads to the host of `url`, directly or through a proxy. Every TLS connection is made here:
   * the certificate must be for that host, name or address, whatever is in between. Node.js compares it with `host`
   * where there is no `servername`, which cannot be an address (RFC 6066 §3).
   */
  async #secure(url: URL, socket: Socket, trust: TlsTrust, signal: AbortSignal): Promise<Socket> {
    const host = address(url).host.replace(/\.$/, '');
    const options: ConnectionOptions = {
      socket,
      host,
      ...(isIP(host) === 0 && { servername: host }),
      secureContext: this.#context(trust),
      rejectUnauthorized: trust.verify,
      ALPNProtocols: ['http/1.1'],
    };
    const secure = connectTls(options);
    await ready(secure, 'secureConnect', url, signal);
    return secure;
  }

  #context({ material, verify, showsCertificate }: TlsTrust): SecureContext {
    const key = `${verify} ${showsCertificate} ${material?.origin}`;
    const existing = this.#contexts.get(key);
    if (existing !== undefined) return existing;
    const roots = verify ? { ca: [...trustedRoots(), ...(material?.ca ?? [])] } : {};
    const { cert, key: privateKey } = material ?? {};
    const own = showsCertificate && cert !== undefined ? { cert, key: privateKey } : {};
    let context: SecureContext;
    try {
      context = createSecureContext({ ...roots, ...own, minVersion: 'TLSv1.2' });
    } catch (cause) {
      const message = `The TLS certificates of ${material?.origin ?? 'the system'} cannot be used`;
      throw new RegistryError('TLS_MATERIAL', message, { cause });
    }
    this.#contexts.set(key, context);
    return context;
  }
}

/** The header that a proxy wants for the user and the password in its URL. */
export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const text = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
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
