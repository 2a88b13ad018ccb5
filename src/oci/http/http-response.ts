import { gunzipSync } from 'node:zlib';
import { displayUrl, RegistryError } from '../model/registry-error.js';
import type { HttpConnection } from './http-connection.js';
import { networkError } from './network-error.js';
import type { HttpHeaders, ResponseHead } from './response-head.js';
import type { HttpTimeouts } from './timeouts.js';

/** A body that nobody wants is read to its end, for the connection to be used again, if it is as short as this... */
const MAX_DRAIN_BYTES = 16 << 10;
/** ...and comes within this time. */
const MAX_DRAIN_MS = 1000;

/** What gzip adds to a document that cannot be compressed, generously. */
const MAX_GZIP_OVERHEAD = 4 << 10;

export interface ResponseContext {
  /** Where the answer came from in the end. */
  readonly url: URL;
  /** False if a redirect led to another host. */
  readonly isOrigin: boolean;
  readonly timeouts: HttpTimeouts;
  readonly signal: AbortSignal | undefined;
  /** Takes the connection back when the body is read. */
  readonly release: (connection: HttpConnection) => void;
}

/** An answer whose body is still to come. Read it, or {@link discard} it. */
export class HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** Where it came from in the end. */
  readonly url: URL;
  /** False if a redirect led to another host. */
  readonly isOrigin: boolean;
  /** Bytes of the body, if the server says how many there are. */
  readonly contentLength: number | undefined;
  readonly #connection: HttpConnection;
  readonly #context: ResponseContext;

  constructor(head: ResponseHead, connection: HttpConnection, context: ResponseContext) {
    this.status = head.status;
    this.headers = head.headers;
    this.url = context.url;
    this.isOrigin = context.isOrigin;
    this.contentLength = head.framing.kind === 'length' ? head.framing.length : undefined;
    this.#connection = connection;
    this.#context = context;
  }

  /**
   * The body as it arrives; a piece is valid until the next one is asked for. Leaving the iteration early closes the
   * connection.
   *
   * @throws RegistryError if it breaks off, stalls or comes too slowly; the signal's reason.
   */
  async *body(): AsyncGenerator<Buffer> {
    const connection = this.#connection;
    const { timeouts, signal, release } = this.#context;
    const { idleMs, minBytesPerSecond, rateMs } = timeouts;
    const onStall = (): void => {
      const text = `${this.url.host} has sent nothing for ${idleMs / 1000} seconds`;
      connection.destroy(new RegistryError('TIMEOUT', text, { retriable: true }));
    };
    const onAbort = (): void => connection.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    let timer: NodeJS.Timeout | undefined;
    let isComplete = false;
    let waitedMs = 0;
    let received = 0;
    try {
      if (signal?.aborted === true) onAbort();
      while (!isComplete) {
        // Time that the reader needs between two pieces does not count.
        timer = setTimeout(onStall, idleMs);
        const start = performance.now();
        const chunk = await connection.read();
        clearTimeout(timer);
        waitedMs += performance.now() - start;
        received += chunk?.length ?? 0;
        if (chunk === undefined) {
          isComplete = true;
          continue;
        }
        yield chunk;
        if (waitedMs < rateMs) continue;
        // Who sends a byte now and then would hold the repository's lock for ever.
        if (received < (minBytesPerSecond * waitedMs) / 1000) throw this.#tooSlow(received, waitedMs);
        waitedMs = 0;
        received = 0;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw networkError(error, this.url);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (isComplete) release(connection);
      else connection.destroy();
    }
    signal?.throwIfAborted();
  }

  #tooSlow(bytes: number, milliseconds: number): RegistryError {
    const { host } = this.url;
    const message = `${host} sends too slowly: ${bytes} bytes in ${(milliseconds / 1000).toFixed(0)} seconds`;
    const hint = 'Try again later, or allow a lower rate: --min-rate.';
    return new RegistryError('TIMEOUT', message, { retriable: true, hint });
  }

  /**
   * The whole body, as it came whatever `Content-Encoding` says: that is often wrong about blobs.
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
      if (performance.now() - start > this.#context.timeouts.totalMs) {
        const message = `The answer of ${displayUrl(this.url)} takes longer than ${this.#context.timeouts.totalMs / 1000} seconds`;
        throw new RegistryError('TIMEOUT', message, { retriable: true });
      }
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks, size);
  }

  /** Whether the server says that it has compressed the body, although nobody asked for that. */
  get isGzip(): boolean {
    return /^(x-)?gzip$/i.test(this.headers['content-encoding'] ?? '');
  }

  /**
   * The whole body of a document, decompressed if it was compressed on the way.
   *
   * @param size - of the document, if that is known: what has it, needs no decompression.
   * @throws RegistryError `RESPONSE_TOO_LARGE` for more than `limit` bytes, before or after.
   */
  async document(limit: number, size?: number): Promise<Buffer> {
    const raw = await this.bytes(this.isGzip ? limit + MAX_GZIP_OVERHEAD : limit);
    if (!this.isGzip || raw.length === size || raw[0] !== 0x1f || raw[1] !== 0x8b) return raw;
    try {
      return gunzipSync(raw, { maxOutputLength: limit });
    } catch (cause) {
      const message = `The answer of ${displayUrl(this.url)} cannot be decompressed to ${limit} bytes or less`;
      throw new RegistryError('BAD_RESPONSE', message, { cause });
    }
  }

  /** Gives up on the body. */
  discard(): void {
    void this.#drain();
  }

  async #drain(): Promise<void> {
    const connection = this.#connection;
    // Nobody waits for this, at the end of the process neither.
    connection.idle(true);
    const timer = setTimeout(() => connection.destroy(), MAX_DRAIN_MS).unref();
    try {
      // What came together with the head leaves the connection free at once.
      if (connection.skip()) return this.#context.release(connection);
      if ((this.contentLength ?? 0) > MAX_DRAIN_BYTES) return connection.destroy();
      for (let size = 0; size <= MAX_DRAIN_BYTES; ) {
        const chunk = await connection.read();
        if (chunk === undefined) return this.#context.release(connection);
        size += chunk.length;
      }
      connection.destroy();
    } catch {
      connection.destroy();
    } finally {
      clearTimeout(timer);
    }
  }
}
