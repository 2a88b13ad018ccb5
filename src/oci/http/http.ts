import { ComposefsError } from '../../errors.js';
import type { TlsMaterial } from '../containers-config/certs-d.js';
import { displayUrl, RegistryError } from '../model/registry-error.js';
import { openConnection, proxyAuthorization, requestText } from './connect.js';
import { ConnectionPool } from './connection-pool.js';
import type { HttpConnection, OutgoingBody } from './http-connection.js';
import { HttpResponse } from './http-response.js';
import { networkError } from './network-error.js';
import { type ProxySettings, proxyFor } from './proxy.js';
import type { TlsTrust } from './secure-context.js';
import type { HttpTimeouts } from './timeouts.js';

export interface HttpClientOptions {
  /** `host[:port]` of the registry: who sees the client certificate. Undefined: nobody. */
  readonly host?: string;
  readonly tls?: TlsMaterial | undefined;
  /** False: any certificate is accepted. */
  readonly verify: boolean;
  readonly proxies: ProxySettings;
  readonly timeouts: HttpTimeouts;
}

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A body whose length is known. */
export interface RequestBody {
  readonly length: number;
  /** Begins anew with each call: a request may have to be made again. */
  readonly chunks: () => AsyncIterable<Buffer> | Iterable<Buffer>;
  /** Told of each piece that was sent. */
  readonly onSent?: (bytes: number) => void;
}

export interface HttpRequest {
  readonly url: URL;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: GET, and POST with a form. */
  readonly method?: HttpMethod;
  /** The body of a POST. */
  readonly form?: URLSearchParams;
  /** Any other body. */
  readonly body?: RequestBody;
  /** Certificates of the servers are checked, although those of the registry need not be valid. */
  readonly strict?: boolean;
  /** In place of that of {@link HttpTimeouts}. */
  readonly connectMs?: number;
  readonly signal?: AbortSignal | undefined;
}

interface Place {
  readonly place: string;
  /** Between here and there. */
  readonly proxy: URL | undefined;
  readonly open: (signal: AbortSignal | undefined) => Promise<HttpConnection>;
}

const MAX_REDIRECTS = 10;
const USER_AGENT = 'composefs-oci';
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Requests over HTTP/1.1, with connections that are used again.
 *
 * The protocol is done here rather than by node:http, whose parser is stricter than those of other programs for
 * registries, so that images of some servers and proxies could not be had; its lenient mode takes what no program
 * should, and not all that is needed. See {@link ResponseHeadParser}.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #pool = new ConnectionPool();

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /**
   * Sends a request, follows redirects, and returns the answer when its head is there; any status is an answer. At
   * another origin than the first one `authorization` is not shown (nor is it at any later hop), a client certificate to
   * no host but the registry's, and from `https:` no redirect leads to `http:`, unless certificates are not checked
   * anyway.
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
      const response = await this.#send(request, url, headers, isOrigin);
      const target = mayFollow(request, response) ? redirectTarget(response) : undefined;
      if (target === undefined) return response;
      response.discard();
      if (redirects === MAX_REDIRECTS) {
        const message = `${displayUrl(request.url)} leads to more than ${MAX_REDIRECTS} redirects`;
        throw new RegistryError('TOO_MANY_REDIRECTS', message);
      }
      if (url.protocol === 'https:' && target.protocol !== 'https:' && this.#verifies(request)) {
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

  /**
   * Makes so many connections to the origin of `url`, for requests that are about to come: so these need not wait for
   * them, one handshake after another. What goes wrong is seen by those that make their own.
   */
  prepare(url: URL, count: number): void {
    const { place, open } = this.#placeOf({ url }, url, true);
    for (let made = 0; made < count; made++) this.#pool.prepare(place, open(this.#pool.closing));
  }

  /** Closes the idle connections; requests under way go on. */
  close(): void {
    this.#pool.close();
  }

  /** Where a request goes, and what else connections to there have in common. */
  #placeOf(request: HttpRequest, url: URL, isOrigin: boolean): Place {
    const { timeouts, proxies } = this.#options;
    const proxy = proxyFor(url, proxies);
    const trust = this.#trust(request, url, isOrigin);
    return {
      place: `${url.origin} ${trust.verify} ${trust.showsCertificate} ${proxy?.href}`,
      proxy,
      open: (signal) =>
        within(request.connectMs ?? timeouts.connectMs, `${url.host} cannot be connected`, signal, (limit) =>
          openConnection(url, proxy, trust, limit),
        ),
    };
  }

  async #send(
    request: HttpRequest,
    url: URL,
    headers: Readonly<Record<string, string>>,
    isOrigin: boolean,
  ): Promise<HttpResponse> {
    const { signal } = request;
    const { timeouts } = this.#options;
    const { place, proxy, open } = this.#placeOf(request, url, isOrigin);
    const message = requestMessage(request, url, headers, url.protocol === 'http:' ? proxy : undefined);
    for (;;) {
      const idle = await this.#pool.take(place, signal);
      const connection = idle ?? (await open(signal));
      try {
        const head = await within(timeouts.headersMs, `${url.host} does not answer`, signal, async (limit, again) => {
          limit.addEventListener('abort', () => connection.destroy(limit.reason));
          return await connection.send(message, {
            isHead: request.method === 'HEAD',
            body: outgoingBody(request.body, again),
          });
        });
        const release = (): void => this.#pool.release(place, connection);
        return new HttpResponse(head, connection, { url, isOrigin, timeouts, signal, release });
      } catch (error) {
        connection.destroy();
        signal?.throwIfAborted();
        // A server may close an idle connection at the moment when it is used again.
        if (idle === undefined || error instanceof ComposefsError) throw networkError(error, url);
      }
    }
  }

  #verifies({ strict }: HttpRequest): boolean {
    return this.#options.verify || strict === true;
  }

  #trust(request: HttpRequest, url: URL, isOrigin: boolean): TlsTrust {
    const { host, tls } = this.#options;
    const showsCertificate = host !== undefined && isOrigin && url.origin === new URL(`https://${host}`).origin;
    return { material: tls, verify: this.#verifies(request), showsCertificate };
  }
}

/**
 * The head of a request, and a form.
 *
 * @param proxy - that gets the request in place of the host: it needs the whole URL.
 */
function requestMessage(
  { method, form, body }: HttpRequest,
  url: URL,
  headers: Readonly<Record<string, string>>,
  proxy: URL | undefined,
): string {
  const path = url.pathname + url.search;
  const target = proxy === undefined ? path : url.origin + path;
  const text = form?.toString();
  const verb = method ?? (text === undefined ? 'GET' : 'POST');
  const length = text === undefined ? body?.length : Buffer.byteLength(text);
  // Some servers refuse a request that could have a body and does not say that it has none.
  const mayHaveBody = verb === 'POST' || verb === 'PUT' || verb === 'PATCH';
  const head = requestText(`${verb} ${target} HTTP/1.1`, {
    host: url.host,
    ...headers,
    ...(proxy !== undefined && proxyAuthorization(proxy)),
    ...(text !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
    ...(mayHaveBody && { 'content-length': String(length ?? 0) }),
  });
  return head + (text ?? '');
}

function outgoingBody(body: RequestBody | undefined, again: () => void): OutgoingBody | undefined {
  if (body === undefined) return undefined;
  const onSent = (bytes: number): void => {
    again();
    body.onSent?.(bytes);
  };
  return { chunks: body.chunks(), onSent };
}

/** What changes something is not sent somewhere else, unless the server says that it is to be sent just so. */
function mayFollow({ method = 'GET', form }: HttpRequest, { status }: HttpResponse): boolean {
  if (form !== undefined) return false;
  return method === 'GET' || method === 'HEAD' || status === 307 || status === 308;
}

/**
 * Runs `action` with a signal that ends it with `signal`, or with an error that says `what` after that time; a call of its
 * second argument begins it anew.
 */
async function within<T>(
  milliseconds: number,
  what: string,
  signal: AbortSignal | undefined,
  action: (limit: AbortSignal, again: () => void) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const hint = 'Check the network, or try again later.';
    const message = `${what} within ${milliseconds / 1000} seconds`;
    controller.abort(new RegistryError('TIMEOUT', message, { hint, retriable: true }));
  }, milliseconds);
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await action(controller.signal, () => void timer.refresh());
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Where a redirect leads; undefined for other answers, and for a redirect to nowhere. */
function redirectTarget({ status, headers, url }: HttpResponse): URL | undefined {
  const { location } = headers;
  if (!REDIRECTS.has(status) || location === undefined) return undefined;
  // The bytes as they came, whatever text they are meant to be.
  const escaped = location.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
  if (!URL.canParse(escaped, url.href)) return undefined;
  const target = new URL(escaped, url);
  if (target.protocol !== 'https:' && target.protocol !== 'http:') return undefined;
  // Credentials in it are the server's own business.
  target.username = '';
  target.password = '';
  target.hash = '';
  return target;
}
