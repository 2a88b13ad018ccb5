import { Agent, type AgentOptions as NodeAgentOptions, request as plainRequest, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { networkError } from './network-error.js';
import { type ProxySettings, proxyFor } from './proxy.js';
import { RegistryError } from './registry-error.js';
import { trustedRoots } from './system-roots.js';
import type { TlsMaterial } from './tls.js';

export interface AgentOptions {
  readonly tls?: TlsMaterial;
  /** False: any certificate is accepted. */
  readonly verify: boolean;
  readonly proxies: ProxySettings;
}

/** How a request gets to its host: options for `request` of node:http or node:https. */
export interface Route {
  readonly agent: Agent;
  readonly target: RequestOptions;
  readonly headers: Readonly<Record<string, string>>;
}

const AGENT_OPTIONS: NodeAgentOptions = { keepAlive: true, keepAliveMsecs: 15_000, scheduling: 'lifo' };
/** Until a proxy has answered. */
const TUNNEL_TIMEOUT_MS = 30_000;

/** The connections of one client, kept open for further requests, with TLS and proxies as the options say. */
export class AgentPool {
  readonly #options: AgentOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #contexts = new Map<boolean, SecureContext>();

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** @param isOrigin - false: a redirect led here, so that the client certificate is not for this host. */
  route(url: URL, isOrigin: boolean): Route {
    const proxy = proxyFor(url, this.#options.proxies);
    if (url.protocol === 'https:') {
      const key = `tls ${isOrigin} ${proxy?.href ?? ''}`;
      const agent = this.#agent(key, () => this.#tlsAgent(isOrigin, proxy));
      return { agent, target: address(url), headers: {} };
    }
    const agent = this.#agent(`plain ${proxy?.protocol}`, () =>
      proxy?.protocol === 'https:' ? new TlsAgent({ ...AGENT_OPTIONS }) : new Agent(AGENT_OPTIONS),
    );
    if (proxy === undefined) return { agent, target: address(url), headers: {} };
    // A proxy gets the whole URL of what it is to fetch.
    const target = { ...address(proxy), path: url.href, protocol: proxy.protocol };
    return { agent, target, headers: proxyAuthorization(proxy) };
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #agent(key: string, create: () => Agent): Agent {
    const existing = this.#agents.get(key);
    if (existing !== undefined) return existing;
    const agent = create();
    this.#agents.set(key, agent);
    return agent;
  }

  #tlsAgent(isOrigin: boolean, proxy: URL | undefined): Agent {
    const options: ConnectionOptions = {
      secureContext: this.#context(isOrigin),
      rejectUnauthorized: this.#options.verify,
      ALPNProtocols: ['http/1.1'],
    };
    const createConnection = (
      { host = '', port = 443 }: ConnectionOptions,
      done: (error: Error | null, socket?: TLSSocket) => void,
    ): TLSSocket | undefined => {
      if (proxy === undefined) return connectTls(host, port, options);
      tunnel(proxy, host, port).then(
        (socket) => done(null, connectTls(host, port, { ...options, socket })),
        (error: Error) => done(error),
      );
      return undefined;
    };
    return Object.assign(new TlsAgent({ ...AGENT_OPTIONS, ...options }), { createConnection });
  }

  #context(withCertificate: boolean): SecureContext {
    const existing = this.#contexts.get(withCertificate);
    if (existing !== undefined) return existing;
    const { tls, verify } = this.#options;
    const certificate = withCertificate && tls?.cert !== undefined ? { cert: tls.cert, key: tls.key } : {};
    const roots = verify ? { ca: [...trustedRoots(), ...(tls?.ca ?? [])] } : {};
    let context: SecureContext;
    try {
      context = createSecureContext({ ...roots, ...certificate, minVersion: 'TLSv1.2' });
    } catch (cause) {
      const message = `The TLS certificates of ${tls?.origin ?? 'the system'} cannot be used`;
      throw new RegistryError('TLS_MATERIAL', message, { cause });
    }
    this.#contexts.set(withCertificate, context);
    return context;
  }
}

/**
 * TLS with `host`, over a connection of its own or over `options.socket`, which leads there through a proxy. All
 * connections are made here: the certificate must be for `host`, name or address, whatever is in between. An address
 * cannot be the name that the server is asked for (RFC 6066 §3); Node.js then compares with `host`.
 */
function connectTls(host: string, port: number | string, options: ConnectionOptions): TLSSocket {
  return connect({ ...options, host, port: Number(port), ...(isIP(host) === 0 && { servername: host }) });
}

function address(url: URL): RequestOptions {
  return {
    protocol: url.protocol,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    path: url.pathname + url.search,
  };
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const text = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

/** A connection to `host` through a proxy (`CONNECT`). */
function tunnel(proxy: URL, host: string, port: number | string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const send = proxy.protocol === 'https:' ? tlsRequest : plainRequest;
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const request = send({
      ...address(proxy),
      method: 'CONNECT',
      path: authority,
      agent: false,
      timeout: TUNNEL_TIMEOUT_MS,
      headers: { host: authority, ...proxyAuthorization(proxy) },
    });
    const refuse = (why: string, retriable: boolean): RegistryError => {
      const hint = 'Check HTTPS_PROXY and NO_PROXY in the environment.';
      const message = `The proxy ${proxy.host} does not connect to ${authority}: ${why}`;
      return new RegistryError('PROXY_REFUSED', message, { hint, retriable });
    };
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) {
        socket.setTimeout(0);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(refuse(`status ${response.statusCode}`, (response.statusCode ?? 0) >= 500));
    });
    request.on('timeout', () => request.destroy(refuse('no answer', true)));
    request.on('error', (error) => reject(networkError(error, proxy)));
    request.end();
  });
}
