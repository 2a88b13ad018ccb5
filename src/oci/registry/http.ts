import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { type AgentOptions, AgentPool } from './http-agents.js';
import { HttpResponse } from './http-response.js';
import { networkError } from './network-error.js';
import { displayUrl, RegistryError } from './registry-error.js';

/** Milliseconds. Plain data. */
export interface HttpTimeouts {
  /** Until the connection stands, with TLS and through a proxy, and the request is on its way. */
  readonly connectMs: number;
  /** From then on until the answer begins. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
  /** For a body that is read as a whole: manifests, tokens, configs. */
  readonly totalMs: number;
}

export const DEFAULT_TIMEOUTS: HttpTimeouts = {
  connectMs: 30_000,
  headersMs: 60_000,
  idleMs: 60_000,
  totalMs: 300_000,
};

export interface HttpClientOptions extends AgentOptions {
  readonly timeouts: HttpTimeouts;
}

export interface HttpRequest {
  readonly url: URL;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body of a POST; without one the request is a GET. */
  readonly form?: URLSearchParams;
  readonly signal?: AbortSignal | undefined;
}

const MAX_REDIRECTS = 10;
const MAX_HEADER_BYTES = 64 << 10;
const USER_AGENT = 'composefs-oci';
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Requests over HTTP/1.1, with connections that are used again. It is made of node:http rather than undici: that
 * would take longer to load, once in each worker thread, than it saves on the bodies of a whole image.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agents: AgentPool;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#agents = new AgentPool(options);
  }

  /**
   * Sends a request, follows redirects, and returns the answer when its head is there; any status is an answer. At
   * another origin than the first one neither `authorization` nor a client certificate is shown (nor are they at any
   * later hop), and from `https:` no redirect leads to `http:`, unless certificates are not checked anyway.
   *
   * @throws RegistryError; the signal's reason.
   */
  async request(request: HttpRequest): Promise<HttpResponse> {
    let { url } = request;
    let headers: Record<string, string> = {
      'user-agent': USER_AGENT,
      'accept-encoding': 'identity',
      ...request.headers,
    };
    let isOrigin = true;
    for (let redirects = 0; ; redirects++) {
      const message = await this.#send(request, url, headers, isOrigin);
      const response = new HttpResponse(message, url, isOrigin, this.#options.timeouts, request.signal);
      const target = request.form === undefined ? redirectTarget(message, url) : undefined;
      if (target === undefined) return response;
      response.discard();
      if (redirects === MAX_REDIRECTS) {
        const message = `${displayUrl(request.url)} leads to more than ${MAX_REDIRECTS} redirects`;
        throw new RegistryError('TOO_MANY_REDIRECTS', message);
      }
      if (url.protocol === 'https:' && target.protocol !== 'https:' && this.#options.verify) {
        const message = `${url.host} redirects to ${target.origin}, which is not encrypted`;
        throw new RegistryError('INSECURE_REDIRECT', message);
      }
      if (target.origin !== url.origin) {
        isOrigin = false;
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
      }
      url = target;
    }
  }

  /** Closes the idle connections; requests under way go on. */
  close(): void {
    this.#agents.close();
  }

  async #send(
    request: HttpRequest,
    url: URL,
    headers: Record<string, string>,
    isOrigin: boolean,
  ): Promise<IncomingMessage> {
    const { signal, form } = request;
    signal?.throwIfAborted();
    const route = this.#agents.route(url, isOrigin);
    const body = form?.toString();
    const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
    const outgoing = send({
      ...route.target,
      agent: route.agent,
      method: body === undefined ? 'GET' : 'POST',
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: {
        host: url.host,
        ...headers,
        ...route.headers,
        ...(body !== undefined && {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': String(Buffer.byteLength(body)),
        }),
      },
    });
    try {
      return await head(outgoing, body, url, this.#options.timeouts, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw networkError(error, url);
    }
  }
}

/** Sends the request and waits for the head of the answer. */
function head(
  outgoing: ClientRequest,
  body: string | undefined,
  url: URL,
  timeouts: HttpTimeouts,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fail = (what: string, milliseconds: number): void => {
      outgoing.destroy(
        new RegistryError('TIMEOUT', `${url.host} ${what} within ${milliseconds / 1000} seconds`, {
          hint: 'Check the network, or try again later.',
          retriable: true,
        }),
      );
    };
    const onAbort = (): void => {
      outgoing.destroy(new Error('aborted'));
    };
    let timer = setTimeout(() => fail('cannot be connected', timeouts.connectMs), timeouts.connectMs);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    // The request is written when the connection stands.
    outgoing.on('finish', () => {
      clearTimeout(timer);
      timer = setTimeout(() => fail('does not answer', timeouts.headersMs), timeouts.headersMs);
    });
    outgoing.on('response', (message) => {
      settle();
      resolve(message);
    });
    // Later errors are those of the body, whose reader hears of them.
    outgoing.on('error', (error) => {
      settle();
      reject(error);
    });
    outgoing.end(body);
  });
}

/** Where a redirect leads; undefined for other answers, and for a redirect to nowhere. */
function redirectTarget(message: IncomingMessage, url: URL): URL | undefined {
  const { location }: IncomingHttpHeaders = message.headers;
  if (message.statusCode === undefined || !REDIRECTS.has(message.statusCode) || location === undefined)
    return undefined;
  if (!URL.canParse(location, url.href)) return undefined;
  const target = new URL(location, url);
  if (target.protocol !== 'https:' && target.protocol !== 'http:') return undefined;
  // Credentials in it would become an Authorization header.
  target.username = '';
  target.password = '';
  target.hash = '';
  return target;
}
