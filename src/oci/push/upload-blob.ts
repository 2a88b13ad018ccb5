import { ComposefsError } from '../../errors.js';
import type { RequestBody } from '../http/http.js';
import type { HttpResponse } from '../http/http-response.js';
import { pause, type RetryObserver, type RetryPolicy, retryDelay } from '../http/retry.js';
import type { Descriptor } from '../model/descriptor.js';
import { displayUrl, RegistryError } from '../model/registry-error.js';
import type { EndpointClient, EndpointRequest } from '../registry/endpoint-client.js';
import { answerer, statusError } from '../registry/status-error.js';

/** How often a registry may have less than it had before: then it never gets the whole. */
const MAX_SETBACKS = 20;

/** A blob to be sent. */
export interface UploadContent {
  readonly descriptor: Pick<Descriptor, 'digest' | 'size'>;
  /** The bytes from `start` on, as often as they are asked for. */
  readonly read: (start: number) => AsyncIterable<Buffer> | Iterable<Buffer>;
}

export interface UploadOptions {
  readonly client: EndpointClient;
  readonly retry: RetryPolicy;
  /** Bytes of one request, at most. */
  readonly chunkSize: number;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: RetryObserver | undefined;
  /** How much of the blob the registry has, or is being sent. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Uploads a blob (OCI distribution specification, "Pushing a blob in chunks"). What breaks off goes on from where the
 * registry says that it is; a registry that takes no further chunk gets the blob in one request.
 *
 * @throws RegistryError; what reading the content throws.
 */
export async function uploadBlob(content: UploadContent, options: UploadOptions): Promise<void> {
  await new Upload(content, options).run();
}

class Upload {
  readonly #content: UploadContent;
  readonly #options: UploadOptions;
  #chunkSize: number;
  /** Where the next request goes; undefined before the upload has begun. */
  #location: URL | undefined;
  /** What the registry has. */
  #offset = 0;
  /** Failures since something has arrived. */
  #failures = 0;
  #setbacks = 0;

  constructor(content: UploadContent, options: UploadOptions) {
    this.#content = content;
    this.#options = options;
    this.#chunkSize = options.chunkSize;
  }

  async run(): Promise<void> {
    for (;;) {
      try {
        await this.#goOn();
        return;
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        this.#failures += 1;
        const delay = retryDelay(this.#options.retry, this.#failures, error);
        if (delay === undefined || !(error instanceof RegistryError)) throw error;
        this.#options.observe?.(error, delay);
        await pause(delay, this.#options.signal);
        await this.#findPlace();
      }
    }
  }

  async #goOn(): Promise<void> {
    const { digest, size } = this.#content.descriptor;
    if (this.#location === undefined) await this.#begin();
    while (this.#offset < size) {
      await this.#sendChunk(Math.min(this.#chunkSize, size - this.#offset));
      // The registry may have forgotten the upload.
      if (this.#location === undefined) await this.#begin();
    }
    const url = new URL(this.#place());
    url.searchParams.append('digest', digest);
    const response = await this.#request(url, { method: 'PUT' });
    if (response.status !== 201 && response.status !== 204) throw await this.#refusal(response);
    response.discard();
  }

  async #begin(): Promise<void> {
    const { client, signal } = this.#options;
    const response = await client.request('blobs/uploads/', { method: 'POST' }, signal);
    if (response.status !== 202) throw await this.#refusal(response);
    this.#offset = 0;
    this.#takeLocation(response);
    const least = Number(response.headers['oci-chunk-min-length'] ?? 0);
    if (least > this.#chunkSize && Number.isSafeInteger(least)) this.#chunkSize = least;
  }

  async #sendChunk(length: number): Promise<void> {
    const start = this.#offset;
    const isWhole = start === 0 && length === this.#content.descriptor.size;
    let sent = 0;
    const body: RequestBody = {
      length,
      chunks: () => {
        sent = 0;
        return exactly(this.#content.read(start), length, start + length === this.#content.descriptor.size);
      },
      onSent: (bytes) => {
        sent += bytes;
        this.#options.onProgress?.(start + sent);
      },
    };
    const headers = {
      'content-type': 'application/octet-stream',
      // A registry that does not know chunks need not know that this is one.
      ...(!isWhole && { 'content-range': `${start}-${start + length - 1}` }),
    };
    const response = await this.#request(this.#place(), { method: 'PATCH', headers, body });
    if (response.status === 416 && this.#failures < this.#options.retry.attempts) {
      response.discard();
      this.#failures += 1;
      return await this.#findPlace();
    }
    if (response.status !== 202 && response.status !== 204 && response.status !== 201) {
      if (isWhole || start === 0 || response.status < 400 || response.status >= 500 || response.status === 429) {
        throw await this.#refusal(response);
      }
      // It has taken one chunk and will not have another.
      response.discard();
      return await this.#inOneRequest();
    }
    this.#takeLocation(response);
    const received = receivedBytes(response);
    this.#offset = received !== undefined && received > start && received <= start + length ? received : start + length;
    this.#failures = 0;
    response.discard();
  }

  async #inOneRequest(): Promise<void> {
    this.#chunkSize = this.#content.descriptor.size;
    await this.#begin();
  }

  /** Where an upload stands that has broken off; one that is gone begins anew. */
  async #findPlace(): Promise<void> {
    if (this.#location === undefined) return;
    const before = this.#offset;
    await this.#askForPlace(this.#location);
    if (this.#offset < before) this.#setbacks += 1;
    if (this.#setbacks <= MAX_SETBACKS) return;
    const { digest } = this.#content.descriptor;
    throw new RegistryError('BAD_RESPONSE', `${this.#options.client.host} loses what it has received of ${digest}`);
  }

  async #askForPlace(location: URL): Promise<void> {
    try {
      const response = await this.#request(location, { method: 'GET' });
      const received = receivedBytes(response);
      response.discard();
      if (response.status === 204 && received !== undefined && received <= this.#content.descriptor.size) {
        this.#takeLocation(response);
        this.#offset = received;
        this.#options.onProgress?.(received);
        return;
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
    }
    this.#location = undefined;
    this.#offset = 0;
    this.#options.onProgress?.(0);
  }

  #place(): URL {
    if (this.#location === undefined) throw new RegistryError('BAD_RESPONSE', 'an upload has not begun');
    return this.#location;
  }

  async #request(url: URL, request: EndpointRequest): Promise<HttpResponse> {
    return await this.#options.client.requestAt(url, request, this.#options.signal);
  }

  #takeLocation(response: HttpResponse): void {
    const { location } = response.headers;
    if (location === undefined && this.#location !== undefined) return;
    if (location === undefined || !URL.canParse(location, response.url.href)) {
      throw new RegistryError('BAD_RESPONSE', `${answerer(response)} does not say where the upload goes`);
    }
    const url = new URL(location, response.url);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
      throw new RegistryError('BAD_RESPONSE', `${answerer(response)} sends uploads to ${displayUrl(url)}`);
    }
    this.#location = url;
  }

  async #refusal(response: HttpResponse): Promise<RegistryError> {
    return await statusError(response, answerer(response));
  }
}

/** `Range: 0-N`, with or without a unit: N + 1 bytes are there. Nothing is `0-0`, or as some say it `0--1`. */
function receivedBytes({ headers }: HttpResponse): number | undefined {
  const match = /^(?:bytes[= ])?0-(-?\d{1,15})$/.exec((headers['range'] ?? '').trim());
  if (match === null) return undefined;
  const last = Number(match[1]);
  return last <= 0 ? 0 : last + 1;
}

/** The first bytes of a content; up to its end, so that it is checked, if that is where they should end. */
async function* exactly(
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  length: number,
  isLast: boolean,
): AsyncGenerator<Buffer> {
  let rest = length;
  for await (const chunk of content) {
    if (chunk.length > rest && isLast) throw wrongLength('is longer than it should be');
    if (rest > 0) yield chunk.subarray(0, rest);
    rest -= Math.min(rest, chunk.length);
    if (rest === 0 && !isLast) return;
  }
  if (rest > 0) throw wrongLength(`ends ${rest} bytes early`);
}

function wrongLength(how: string): ComposefsError {
  return new ComposefsError('WRONG_SIZE', `what is to be sent ${how}`);
}
