import { decompress } from '../../compression/decompress.js';
import { errorCode } from '../../errors.js';
import { BlobError } from '../blob/blob-error.js';
import type { HttpResponse } from '../http/http-response.js';
import { pause, type RetryObserver, type RetryPolicy, retryDelay } from '../http/retry.js';
import type { Descriptor } from '../model/descriptor.js';
import { displayUrl, RegistryError, registryCode } from '../model/registry-error.js';
import type { EndpointClient } from './endpoint-client.js';
import { EndpointFailures } from './endpoint-failures.js';
import type { ForeignUrls } from './foreign-urls.js';
import type { PartialBlob } from './partial-blob.js';
import { openPartial, type PartialStoreOptions } from './partial-store.js';
import { answerer, statusError } from './status-error.js';

/** Below this size a blob is sooner fetched again than kept in a file. */
const MIN_PARTIAL_BYTES = 64 << 10;
/** A connection that brought this much before it broke is worth another one at once; less counts as a failed attempt. */
const PROGRESS_BYTES = 64 << 10;

/** What servers say that do not know ranges or this form of them, instead of leaving the range out. */
const NO_RANGES: ReadonlySet<number> = new Set([400, 405, 406, 412, 416, 501]);

/** While there are other endpoints, one that is in trouble gets only so many attempts. */
const ATTEMPTS_BEFORE_NEXT = 2;

type GetBlob = (headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined) => Promise<HttpResponse>;

/** Something that has the blob, or may have it. */
interface BlobServer {
  readonly host: string;
  readonly get: GetBlob;
}

/** A blob in a registry, and the ways to it. */
export interface RegistryBlob extends Pick<Descriptor, 'digest' | 'size'> {
  readonly urls: Descriptor['urls'] | undefined;
  /** In the order in which they are tried. */
  readonly endpoints: readonly EndpointClient[];
  /** Where else the blob may be. */
  readonly foreign: ForeignUrls;
  readonly retry: RetryPolicy;
  /** Where to keep what was received until the blob is complete and used. */
  readonly partial: PartialStoreOptions | undefined;
}

export interface BlobDownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly observe?: RetryObserver;
}

/**
 * The bytes of one blob, first those that are kept from an earlier time, then the rest from a registry. When a
 * connection breaks off, the next one goes on where it stopped (a range request); if the server then answers with
 * anything but exactly that range, the blob is asked for from its beginning and what is known of it passed over. Bytes
 * are taken as they are if there are as many as there should be, whatever `Content-Encoding` says: stores say `gzip` of blobs
 * that are gzip.
 *
 * Neither size nor digest is sure until the reader has checked both; no more than `size` bytes come.
 */
export class BlobDownload {
  readonly #blob: RegistryBlob;
  readonly #options: BlobDownloadOptions;
  #partial: PartialBlob | undefined;
  #offset = 0;
  #resumed = 0;
  readonly #servedBy: string[] = [];

  constructor(blob: RegistryBlob, options: BlobDownloadOptions = {}) {
    this.#blob = blob;
    this.#options = options;
  }

  /** Bytes that were read from the disk. */
  get resumedBytes(): number {
    return this.#resumed;
  }

  /** Bytes that came over the network and were used. */
  get fetchedBytes(): number {
    return this.#offset - this.#resumed;
  }

  /** The hosts whose bytes were used. */
  get servedBy(): readonly string[] {
    return this.#servedBy;
  }

  /**
   * To be called once. A piece is valid until the next one is asked for. Leaving the iteration early ends the transfer;
   * what was received is kept.
   */
  async *chunks(): AsyncGenerator<Buffer> {
    const { partial: store, digest, size } = this.#blob;
    if (store !== undefined && size >= MIN_PARTIAL_BYTES) this.#partial = openPartial(store, digest, size);
    try {
      for (const chunk of this.#partial?.chunks() ?? []) {
        this.#options.signal?.throwIfAborted();
        this.#offset += chunk.length;
        this.#resumed += chunk.length;
        yield chunk;
      }
      if (this.#offset < size) yield* this.#fetchRest();
    } finally {
      this.#partial?.close();
    }
  }

  async *#fetchRest(): AsyncGenerator<Buffer> {
    const { endpoints, retry, digest } = this.#blob;
    const failures = new EndpointFailures();
    for (const [index, endpoint] of endpoints.entries()) {
      const isLast = index === endpoints.length - 1;
      const policy = isLast ? retry : { ...retry, attempts: Math.min(retry.attempts, ATTEMPTS_BEFORE_NEXT) };
      const get: GetBlob = (headers, signal) => endpoint.get(`blobs/${digest}`, headers, signal);
      try {
        yield* this.#fetchFrom({ host: endpoint.host, get }, policy);
        return;
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        if (!isFailure(error)) throw error;
        failures.add(endpoint.host, error);
      }
    }
    yield* this.#fetchForeign(failures.error());
  }

  /** From the descriptor's own URLs. @param error - why not from the registry. */
  async *#fetchForeign(error: unknown): AsyncGenerator<Buffer> {
    const { retry, foreign, urls } = this.#blob;
    const policy = { ...retry, attempts: Math.min(retry.attempts, ATTEMPTS_BEFORE_NEXT) };
    const failures: string[] = [];
    for (const url of foreign.usable(urls)) {
      const get: GetBlob = (headers, signal) => foreign.client.request({ url, headers, signal });
      try {
        yield* this.#fetchFrom({ host: url.host, get }, policy);
        return;
      } catch (failure) {
        this.#options.signal?.throwIfAborted();
        if (!isFailure(failure)) throw failure;
        failures.push(failure.message);
      }
    }
    if (failures.length === 0 || !isFailure(error)) throw error;
    const message = `${error.message}; its own URLs fail, too: ${failures.join('; ')}`;
    throw new RegistryError(registryCode(error.code), message, { cause: error });
  }

  /** All that is missing, over as many connections as it takes. */
  async *#fetchFrom(server: BlobServer, policy: RetryPolicy): AsyncGenerator<Buffer> {
    const { signal, observe } = this.#options;
    let allowRange = true;
    for (let attempt = 1; ; attempt++) {
      const start = this.#offset;
      try {
        if (yield* this.#fetchOnce(server, allowRange)) return;
        // No reason for a pause: the server is well, but not able to go on in the middle.
        allowRange = false;
        attempt -= 1;
      } catch (error) {
        signal?.throwIfAborted();
        // Some servers fall over a range rather than refuse it.
        if (error instanceof RegistryError && error.status === 500) allowRange = false;
        const hasProgress = this.#offset - start >= PROGRESS_BYTES;
        if (hasProgress) attempt = 0;
        const delay = retryDelay(policy, Math.max(attempt, 1), error);
        if (delay === undefined) throw error;
        if (hasProgress && errorCode(error) !== 'TOOMANYREQUESTS') continue;
        if (error instanceof RegistryError) observe?.(error, delay);
        await pause(delay, signal);
      }
    }
  }

  /** @returns false if the server has answered the range request with something else than the range. */
  async *#fetchOnce(server: BlobServer, allowRange: boolean): AsyncGenerator<Buffer, boolean> {
    const asksRange = allowRange && this.#offset > 0;
    const headers = asksRange ? { range: `bytes=${this.#offset}-` } : {};
    const response = await server.get(headers, this.#options.signal);
    if (asksRange && (NO_RANGES.has(response.status) || (response.status === 206 && !this.#isRest(response)))) {
      response.discard();
      return false;
    }
    if (response.status !== 200 && !(asksRange && response.status === 206)) {
      throw await statusError(response, answerer(response));
    }
    yield* this.#pass(response, response.status === 206 ? 0 : this.#offset, server.host);
    return true;
  }

  /** Whether a 206 has exactly the bytes that are missing. */
  #isRest(response: HttpResponse): boolean {
    const { size } = this.#blob;
    const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(response.headers['content-range']?.trim() ?? '');
    if (range === null) return false;
    const [, first, last, total] = range;
    if (Number(first) !== this.#offset || Number(last) !== size - 1) return false;
    // With an encoding the numbers are those of encoded bytes; they are the blob's if there are as many.
    if (total === '*' ? response.headers['content-encoding'] !== undefined : Number(total) !== size) return false;
    return response.contentLength === undefined || response.contentLength === size - this.#offset;
  }

  /** Keeps and hands on the body, but for its first `skip` bytes. */
  async *#pass(response: HttpResponse, skip: number, host: string): AsyncGenerator<Buffer> {
    const { digest, size } = this.#blob;
    const bodySize = size - this.#offset + skip;
    const isOther = response.contentLength !== undefined && response.contentLength !== bodySize;
    // Of another size and said to be gzip: here the header means what it says.
    const isCompressed = isOther && response.isGzip && response.status === 200;
    if (isOther && !isCompressed) {
      response.discard();
      const message = `Blob ${digest} of ${size} bytes has ${response.contentLength} bytes at ${host}`;
      throw new BlobError('BLOB_SIZE_MISMATCH', digest, message);
    }
    this.#servedBy.push(host);

    let toSkip = skip;
    for await (const piece of isCompressed ? unpacked(response) : response.body()) {
      const skipped = Math.min(toSkip, piece.length);
      toSkip -= skipped;
      const chunk = piece.subarray(skipped);
      if (this.#offset + chunk.length > size) {
        throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Blob ${digest} is longer than its size of ${size} bytes`);
      }
      if (chunk.length > 0) yield this.#keep(chunk);
    }
    if (this.#offset < size) {
      const message = `${displayUrl(response.url)} ends after ${this.#offset} of ${size} bytes`;
      throw new RegistryError('ECONNRESET', message, { retriable: true });
    }
  }

  #keep(piece: Buffer): Buffer {
    this.#offset += piece.length;
    try {
      this.#partial?.append(piece);
    } catch (error) {
      this.#giveUpPartial(error);
    }
    return piece;
  }

  /** A full disk is no reason to stop before the objects do not fit either, and they need the room more. */
  #giveUpPartial(error: unknown): void {
    const code = errorCode(error);
    if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EIO' && code !== 'EFBIG') throw error;
    this.#partial?.reset();
    this.#partial?.close();
    this.#partial = undefined;
  }
}

async function* unpacked(response: HttpResponse): AsyncGenerator<Buffer> {
  yield* decompress(lasting(response.body()), 'gzip');
}

/** Pieces of their own memory: a decoder reads one ahead. */
async function* lasting(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

function isFailure(error: unknown): error is RegistryError | BlobError {
  return error instanceof RegistryError || error instanceof BlobError;
}
