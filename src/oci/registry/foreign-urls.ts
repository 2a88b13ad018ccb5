import { HttpClient } from '../http/http.js';
import type { EndpointClient } from './endpoint-client.js';
import type { TransportSettings } from './endpoint-data.js';

/** The rest of a longer list is left out. */
const MAX_URLS = 8;

/**
 * The URLs of the descriptors of one image (OCI image specification, "Content Descriptors"): where blobs are that
 * registries may not give away. The author of the manifest chose them: only `https:`, unless the registry is insecure
 * anyway, and no credentials.
 */
export class ForeignUrls {
  readonly #isInsecure: boolean;
  readonly #settings: TransportSettings;
  #client: HttpClient | undefined;

  constructor(endpoints: readonly EndpointClient[], settings: TransportSettings) {
    this.#isInsecure = endpoints.length > 0 && endpoints.every(({ insecure }) => insecure);
    this.#settings = settings;
  }

  /** Those that are worth asking. */
  usable(texts: readonly string[] = []): URL[] {
    const protocols = this.#isInsecure ? ['https:', 'http:'] : ['https:'];
    const urls = texts.filter((text) => URL.canParse(text)).map((text) => new URL(text));
    for (const url of urls) {
      url.username = '';
      url.password = '';
      url.hash = '';
    }
    return urls.filter(({ protocol }) => protocols.includes(protocol)).slice(0, MAX_URLS);
  }

  /** Shows nothing of what is meant for the registry. */
  get client(): HttpClient {
    const { proxies, timeouts } = this.#settings;
    this.#client ??= new HttpClient({ verify: !this.#isInsecure, proxies, timeouts });
    return this.#client;
  }

  close(): void {
    this.#client?.close();
  }
}
