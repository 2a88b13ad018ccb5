import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { HttpTimeouts } from './http.js';
import { networkError } from './network-error.js';
import { displayUrl, RegistryError } from './registry-error.js';

/** An answer whose body is still to come. Read it, or {@link discard} it. */
export class HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from in the end. */
  readonly url: URL;
  /** False if a redirect led to another host. */
  readonly isOrigin: boolean;
  readonly #message: IncomingMessage;
  readonly #timeouts: HttpTimeouts;
  readonly #signal: AbortSignal | undefined;

  constructor(
    message: IncomingMessage,
    url: URL,
    isOrigin: boolean,
    timeouts: HttpTimeouts,
    signal: AbortSignal | undefined,
  ) {
    this.status = message.statusCode ?? 0;
    this.headers = message.headers;
    this.url = url;
    this.isOrigin = isOrigin;
    this.#message = message;
    this.#timeouts = timeouts;
    this.#signal = signal;
    // A body that nobody reads any more may break off unheard.
    message.on('error', () => undefined);
  }

  /** `Content-Length` in bytes, if it says so. */
  get contentLength(): number | undefined {
    const text = this.headers['content-length'];
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  /**
   * The body as it arrives. Leaving the iteration early closes the connection.
   *
   * @throws RegistryError if it breaks off or stalls; the signal's reason.
   */
  async *body(): AsyncGenerator<Buffer> {
    const message = this.#message;
    const { idleMs } = this.#timeouts;
    const onStall = (): void => {
      const text = `${this.url.host} has sent nothing for ${idleMs / 1000} seconds`;
      message.destroy(new RegistryError('TIMEOUT', text, { retriable: true }));
    };
    const onAbort = (): void => {
      message.destroy(new Error('aborted'));
    };
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    // Time that the reader needs between two pieces does not count.
    let timer = setTimeout(onStall, idleMs);
    try {
      if (this.#signal?.aborted === true) onAbort();
      for await (const chunk of message) {
        clearTimeout(timer);
        yield chunk as Buffer;
        timer = setTimeout(onStall, idleMs);
      }
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw networkError(error, this.url);
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener('abort', onAbort);
      message.destroy();
    }
    this.#signal?.throwIfAborted();
  }

  /**
   * The whole body.
   *
   * @throws RegistryError `RESPONSE_TOO_LARGE` for more than `limit` bytes, before they are in memory.
   */
  async bytes(limit: number): Promise<Buffer> {
    const tooLarge = (): RegistryError => {
      const message = `The answer of ${displayUrl(this.url)} exceeds the limit of ${limit} bytes`;
      return new RegistryError('RESPONSE_TOO_LARGE', message);
    };
    if ((this.contentLength ?? 0) > limit) {
      this.discard();
      throw tooLarge();
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const start = performance.now();
    for await (const chunk of this.body()) {
      size += chunk.length;
      if (size > limit) throw tooLarge();
      if (performance.now() - start > this.#timeouts.totalMs) {
        const message = `The answer of ${displayUrl(this.url)} takes longer than ${this.#timeouts.totalMs / 1000} seconds`;
        throw new RegistryError('TIMEOUT', message, { retriable: true });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  }

  /** Gives up on the body. */
  discard(): void {
    // A short one is read to its end, for the connection to be used again.
    const { contentLength } = this;
    if (contentLength !== undefined && contentLength <= 16 << 10) this.#message.resume();
    else this.#message.destroy();
  }
}
