import { HttpClient, type HttpRequest } from '../http/http.js';
import type { HttpResponse } from '../http/http-response.js';
import { displayUrl, RegistryError } from '../model/registry-error.js';
import { Authorizer } from './authorizer.js';
import type { EndpointData, TransportSettings } from './endpoint-data.js';
import { answerer, readReason, statusError } from './status-error.js';

/** Docker's registry has another name than its images. */
const API_HOSTS: ReadonlyMap<string, string> = new Map([
  ['docker.io', 'registry-1.docker.io'],
  ['index.docker.io', 'registry-1.docker.io'],
]);

/** An insecure registry that may have no TLS at all is not waited for longer. */
const MAX_TLS_CONNECT_MS = 10_000;
/** Failures on this side of the network. */
const LOCAL_CODES: ReadonlySet<string> = new Set(['INVALID_PROXY', 'INVALID_REQUEST', 'TLS_MATERIAL']);

/** What else than a path a request has. */
export type EndpointRequest = Pick<HttpRequest, 'method' | 'headers' | 'body'>;

/** One repository at one host, or the host as such: requests with authorization. */
export class EndpointClient {
  readonly #data: EndpointData;
  readonly #settings: TransportSettings;
  readonly #http: HttpClient;
  readonly #authorizer: Authorizer;
  #scheme: 'https' | 'http' | undefined;
  #hasAskedBase = false;

  constructor(data: EndpointData, settings: TransportSettings) {
    this.#data = data;
    this.#settings = settings;
    const { proxies, timeouts } = settings;
    const { host, repository, credentials, insecure, insecureElsewhere = false, tls, scopes } = data;
    this.#http = new HttpClient({ host: this.#apiHost, tls, verify: !insecure, proxies, timeouts });
    const http = this.#http;
    this.#authorizer = new Authorizer({ http, host, repository, scopes, credentials, insecure, insecureElsewhere });
    this.#scheme = insecure ? undefined : 'https';
  }

  get host(): string {
    return this.#data.host;
  }

  /** TLS certificates need not be valid, and there need be no TLS. */
  get insecure(): boolean {
    return this.#data.insecure;
  }

  /**
   * Asks for `path` below the repository, such as `manifests/latest`, or below `/v2/` of the host as such. Any status
   * but a final 401 is an answer.
   *
   * @throws RegistryError
   */
  async get(path: string, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<HttpResponse> {
    return await this.request(path, { headers }, signal);
  }

  /** {@link get} with another method, or a body. */
  async request(path: string, request: EndpointRequest, signal?: AbortSignal): Promise<HttpResponse> {
    const { repository } = this.#data;
    const target = repository === undefined ? `/v2/${path}` : `/v2/${repository}/${path}`;
    if (this.#scheme !== undefined) return await this.#send(this.#scheme, target, request, signal);
    const failure = await this.#tryTls(signal);
    if (failure === undefined) return await this.#send('https', target, request, signal);
    return await this.#sendPlain(target, request, failure, signal);
  }

  /**
   * Goes on where an answer of this registry has led (`Location`): with authorization if that is the registry itself, else
   * without, and only with TLS if the registry has it.
   *
   * @throws RegistryError
   */
  async requestAt(url: URL, request: EndpointRequest, signal?: AbortSignal): Promise<HttpResponse> {
    const scheme = this.#scheme;
    if (scheme !== undefined && url.origin === new URL(`${scheme}://${this.#apiHost}`).origin) {
      return await this.#send(scheme, url.pathname + url.search, request, signal);
    }
    if (url.protocol !== 'https:' && !this.#data.insecure) {
      const message = `${this.host} sends uploads to ${displayUrl(url)}, which is not encrypted`;
      throw new RegistryError('INSECURE_REDIRECT', message);
    }
    return await this.#http.request({ url, ...request, signal });
  }

  /** Makes so many connections for requests that are about to come, if it is known how they are to be made. */
  prepare(connections: number): void {
    if (this.#scheme !== undefined) this.#http.prepare(new URL(`${this.#scheme}://${this.#apiHost}`), connections);
  }

  close(): void {
    this.#http.close();
  }

  get #apiHost(): string {
    return API_HOSTS.get(this.#data.host) ?? this.#data.host;
  }

  async #send(
    scheme: 'https' | 'http',
    target: string,
    request: EndpointRequest,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const { headers = {} } = request;
    const url = new URL(target, `${scheme}://${this.#apiHost}`);
    for (let mayLearn = true; ; mayLearn = false) {
      const authorization = await this.#authorizer.header(scheme === 'http', signal);
      const all = authorization === undefined ? headers : { ...headers, authorization };
      const response = await this.#http.request({ url, ...request, headers: all, signal });
      // What a server says to whom it wants to speak TLS.
      if (response.status !== 400) this.#scheme ??= scheme;
      // Where a redirect led has nothing to ask of us.
      if (!response.isOrigin) return response;
      if (mayLearn && (await this.#learn(response, url, authorization, signal))) {
        response.discard();
        continue;
      }
      if (response.status !== 401) return response;
      throw this.#authorizer.refusal(401, (await readReason(response)).message);
    }
  }

  /** Whether there is a way of authorization that was not known when the request was made. */
  async #learn(
    response: HttpResponse,
    url: URL,
    authorization: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { status, headers } = response;
    if (status === 401 && this.#authorizer.learn(headers, authorization)) return true;
    const isHidden = status === 404 && this.#data.credentials !== undefined;
    if (authorization !== undefined || (status !== 401 && status !== 403 && !isHidden)) return false;
    return await this.#learnFromBase(url, signal);
  }

  /**
   * Some registries refuse strangers without a word on how to log in, or show them nothing (404), and tell it at
   * `GET /v2/` only (OCI distribution specification, "Determining Support"). They are asked once.
   */
  async #learnFromBase(url: URL, signal: AbortSignal | undefined): Promise<boolean> {
    const base = new URL('/v2/', url);
    if (this.#hasAskedBase || base.href === url.href) return false;
    this.#hasAskedBase = true;
    try {
      const response = await this.#http.request({ url: base, signal });
      response.discard();
      return response.isOrigin && response.status === 401 && this.#authorizer.learn(response.headers, undefined);
    } catch {
      signal?.throwIfAborted();
      // What was said before counts.
      return false;
    }
  }

  /** Finds out whether an insecure registry has TLS. @returns why it does not, or undefined. */
  async #tryTls(signal: AbortSignal | undefined): Promise<RegistryError | undefined> {
    const url = new URL(`https://${this.#apiHost}/v2/`);
    const connectMs = Math.min(this.#settings.timeouts.connectMs, MAX_TLS_CONNECT_MS);
    try {
      const response = await this.#http.request({ url, connectMs, signal });
      if (response.status !== 200 && response.status !== 401) return await statusError(response, answerer(response));
      response.discard();
      this.#scheme = 'https';
      if (response.isOrigin && response.status === 401) this.#authorizer.learn(response.headers, undefined);
      return undefined;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RegistryError) || LOCAL_CODES.has(error.code)) throw error;
      return error;
    }
  }

  /** Does without TLS, which has failed. */
  async #sendPlain(
    target: string,
    request: EndpointRequest,
    failure: RegistryError,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    try {
      const response = await this.#send('http', target, request, signal);
      if (response.status === 400) throw await statusError(response, answerer(response));
      return response;
    } catch (error) {
      signal?.throwIfAborted();
      if (this.#scheme !== undefined || !(error instanceof RegistryError)) throw error;
      // A registry that has TLS after all, but does not answer well at `/v2/`.
      if (failure.status !== undefined) return await this.#send('https', target, request, signal);
      throw bothFailed(error, failure);
    }
  }
}

function bothFailed(plain: RegistryError, overTls: RegistryError): RegistryError {
  if (plain.message === overTls.message) return plain;
  const { code, message, hint, cause } = plain;
  const details = { cause, ...(hint !== undefined && { hint }), retriable: plain.retriable || overTls.retriable };
  return new RegistryError(code, `${message}; with TLS: ${overTls.message}`, details);
}
