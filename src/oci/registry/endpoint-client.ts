import { Authorizer } from './authorizer.js';
import { HttpClient } from './http.js';
import type { HttpResponse } from './http-response.js';
import { RegistryError } from './registry-error.js';
import type { EndpointData, TransportSettings } from './registry-location.js';

/** Docker's registry has another name than its images. */
const API_HOSTS: ReadonlyMap<string, string> = new Map([
  ['docker.io', 'registry-1.docker.io'],
  ['index.docker.io', 'registry-1.docker.io'],
]);

/** Failures of TLS after which an insecure registry is tried without. */
const NO_TLS_CODES: ReadonlySet<string> = new Set([
  'TLS_EXPECTED',
  'TLS_FAILED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
]);

/** One repository at one host, or the host as such: requests with authorization. */
export class EndpointClient {
  readonly #data: EndpointData;
  readonly #http: HttpClient;
  readonly #authorizer: Authorizer;
  #scheme: 'https' | 'http' | undefined;

  constructor(data: EndpointData, settings: TransportSettings) {
    this.#data = data;
    this.#http = new HttpClient({
      host: API_HOSTS.get(data.host) ?? data.host,
      tls: data.tls,
      verify: !data.insecure,
      proxies: settings.proxies,
      timeouts: settings.timeouts,
    });
    const { host, repository, credentials, auth } = data;
    this.#authorizer = new Authorizer({ http: this.#http, host, repository, credentials, state: auth });
    this.#scheme = data.insecure ? data.scheme : 'https';
  }

  get host(): string {
    return this.#data.host;
  }

  /** What a client in another thread needs to go on as this one would. */
  snapshot(): EndpointData {
    const scheme = this.#scheme === undefined ? {} : { scheme: this.#scheme };
    return { ...this.#data, ...scheme, auth: this.#authorizer.state };
  }

  /**
   * Asks for `path` below the repository, such as `manifests/latest`, or below `/v2/` of the host as such. Any status but a final 401 is an answer.
   *
   * @throws RegistryError
   */
  async get(path: string, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<HttpResponse> {
    return await this.#onScheme(async (base) => {
      const { repository } = this.#data;
      const url = new URL(repository === undefined ? `/v2/${path}` : `/v2/${repository}/${path}`, base);
      const allowPlain = url.protocol === 'http:' || this.#data.insecure;
      for (let isFirst = true; ; isFirst = false) {
        const authorization = await this.#authorizer.header(allowPlain, signal);
        const all = authorization === undefined ? headers : { ...headers, authorization };
        const response = await this.#http.request({ url, headers: all, signal });
        // Where a redirect led has nothing to ask of us.
        if (response.status !== 401 || !response.isOrigin) return response;
        response.discard();
        if (!isFirst || !this.#authorizer.learn(response.headers, authorization)) throw this.#authorizer.refusal(401);
      }
    });
  }

  close(): void {
    this.#http.close();
  }

  /** With TLS; a registry that is said to be insecure also without, if it has none. */
  async #onScheme<T>(action: (base: string) => Promise<T>): Promise<T> {
    const host = API_HOSTS.get(this.#data.host) ?? this.#data.host;
    if (this.#scheme !== undefined) return await action(`${this.#scheme}://${host}`);
    try {
      const result = await action(`https://${host}`);
      this.#scheme = 'https';
      return result;
    } catch (error) {
      if (!(error instanceof RegistryError) || !NO_TLS_CODES.has(error.code)) throw error;
    }
    const result = await action(`http://${host}`);
    this.#scheme = 'http';
    return result;
  }
}
