import { ComposefsError } from '../../errors.js';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import { BlobError } from '../blob/blob-error.js';
import { BlobVerifier } from '../blob/verified-read.js';
import type { HttpResponse } from '../http/http-response.js';
import { type RetryObserver, withRetries } from '../http/retry.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { EndpointClient } from './endpoint-client.js';
import type { EndpointData, TransportSettings } from './endpoint-data.js';
import { EndpointFailures } from './endpoint-failures.js';
import { checkManifest, type FetchedManifest, MANIFEST_ACCEPT } from './manifest-response.js';
import { answerer, statusError } from './status-error.js';

export interface RegistryClientOptions {
  /** In the order in which they are tried. */
  readonly endpoints: readonly EndpointData[];
  readonly settings: TransportSettings;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: RetryObserver;
}

/**
 * Small things from one repository: manifests, configs, lists. Each endpoint is asked in turn until one answers well;
 * it is the first to be asked the next time.
 */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #clients: EndpointClient[];

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#clients = options.endpoints.map((endpoint) => new EndpointClient(endpoint, options.settings));
  }

  /** The one that answered last comes first. */
  get endpoints(): readonly EndpointClient[] {
    return [...this.#clients];
  }

  /**
   * A manifest or index by tag or digest. Its bytes have the digest, if one was asked for, and the one that the
   * registry claims.
   */
  async manifest(reference: string | OciDigest, digest?: OciDigest): Promise<FetchedManifest> {
    const path = `manifests/${digest ?? reference}`;
    return await this.get(path, { accept: MANIFEST_ACCEPT }, async (response) => {
      const raw = await response.document(MAX_MANIFEST_BYTES);
      return checkManifest(raw, response.headers, digest, answerer(response));
    });
  }

  /** A whole blob, which has the size and the digest of the descriptor. */
  async blob(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer> {
    const { digest, size } = descriptor;
    return await this.get(`blobs/${digest}`, {}, async (response) => {
      if (!response.isGzip && response.contentLength !== undefined && response.contentLength !== size) {
        response.discard();
        const message = `Blob ${digest} of ${size} bytes has ${response.contentLength} bytes at ${answerer(response)}`;
        throw new BlobError('BLOB_SIZE_MISMATCH', digest, message);
      }
      const verifier = new BlobVerifier(descriptor);
      const data = await response.document(size, size);
      verifier.update(data);
      verifier.finish();
      return data;
    });
  }

  /**
   * Reads the successful answer to a request with `read`, again if the connection breaks off, and from the next
   * endpoint if it is not as it should be.
   */
  async get<T>(
    path: string,
    headers: Readonly<Record<string, string>>,
    read: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const { settings, signal, observe } = this.#options;
    const failures = new EndpointFailures();
    for (const client of [...this.#clients]) {
      const isLast = client === this.#clients.at(-1);
      const retry = isLast ? settings.retry : { ...settings.retry, attempts: Math.min(settings.retry.attempts, 2) };
      const request = async (): Promise<T> => {
        const response = await client.get(path, headers, signal);
        if (response.status !== 200) throw await statusError(response, answerer(response));
        return await read(response);
      };
      try {
        const result = await withRetries(retry, request, signal, observe);
        this.#prefer(client);
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof ComposefsError)) throw error;
        failures.add(client.host, error);
      }
    }
    throw failures.error();
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** The others keep their order. */
  #prefer(client: EndpointClient): void {
    const index = this.#clients.indexOf(client);
    if (index <= 0) return;
    this.#clients.splice(index, 1);
    this.#clients.unshift(client);
  }
}
