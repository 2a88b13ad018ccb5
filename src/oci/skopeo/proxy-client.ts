import { closeSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../errors.js';
import { readPipe } from '../blob/pipe-blob.js';
import { protocolError, SkopeoError } from './proxy-error.js';
import { type ProxyCommand, ProxyProcess } from './proxy-process.js';
import { MAX_PACKET_BYTES, type ProxyReply, parseReply, type ReplyData, tryReceive } from './proxy-reply.js';

/** Milliseconds between two looks for a reply, at most. */
const LONGEST_PAUSE = 10;

/** The protocol's 0.2.x with at least this x (spec 40 §5.2). */
const OLDEST_MINOR = 3;

/**
 * Speaks with `skopeo experimental-image-proxy` (spec 40 §5). Replies come in the order of the requests, and one request
 * is handled at a time, so calls wait for each other.
 *
 * Nothing tells Node that a packet has come: it knows no such sockets, and a thread that waits in `recvmsg` would be one
 * of the few that decompression needs. So it looks again and again, in pauses that grow to 10 ms: a pull has two calls
 * a layer.
 */
export class ProxyClient {
  readonly #process: ProxyProcess;
  readonly #signal: AbortSignal | undefined;
  #minor = 0;
  #last: Promise<unknown> = Promise.resolve();
  /** Set when a reply was not waited for: from then on replies would go to the wrong calls. */
  #broken: unknown;

  private constructor(process: ProxyProcess, signal: AbortSignal | undefined) {
    this.#process = process;
    this.#signal = signal;
  }

  /**
   * Starts the proxy and agrees on a version.
   *
   * @param signal ends waiting; what is left to do then is {@link close}.
   * @throws SkopeoError
   */
  static async start(command: ProxyCommand, signal?: AbortSignal): Promise<ProxyClient> {
    signal?.throwIfAborted();
    const client = new ProxyClient(await ProxyProcess.start(command), signal);
    try {
      const { value } = await client.call('Initialize', []);
      client.#minor = supportedMinor(value);
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Whether the protocol is 0.2.`minor` or newer. */
  speaks(minor: number): boolean {
    return this.#minor >= minor;
  }

  /** @throws SkopeoError; the signal's reason. */
  async call(method: string, args: readonly unknown[], data: ReplyData = 'nothing'): Promise<ProxyReply> {
    const turn = this.#last.then(() => this.#exchange(method, args, data));
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  /**
   * A call whose data are a document.
   *
   * @throws SkopeoError `SKOPEO_FAILED` also for what FinishPipe says; BlobError `BLOB_TOO_LARGE`.
   */
  async callForDocument(
    method: string,
    args: readonly unknown[],
    maxBytes: number,
  ): Promise<{ value: unknown; bytes: Buffer }> {
    const { value, pipeId, fds } = await this.call(method, args, 'pipe');
    const [fd = -1] = fds;
    // The proxy ends the pipe when it is asked to finish, and answers when everything was read.
    const [read, finished] = await Promise.allSettled([collect(method, fd, maxBytes), this.finishPipe(pipeId)]);
    if (read.status === 'rejected') throw read.reason;
    if (finished.status === 'rejected') throw finished.reason;
    return { value, bytes: read.value };
  }

  /**
   * Asks whether the data of a pipe were all right. Blocks the proxy until they are all written.
   *
   * @throws SkopeoError `SKOPEO_FAILED`
   */
  async finishPipe(pipeId: number): Promise<void> {
    await this.call('FinishPipe', [pipeId]);
  }

  /** Ends the proxy and waits for that, less than a second. */
  async close(): Promise<void> {
    const inHurry = this.#broken !== undefined || this.#signal?.aborted === true;
    this.#broken ??= new SkopeoError('SKOPEO_EXITED', 'skopeo was already ended');
    await this.#process.end(inHurry);
  }

  async #exchange(method: string, args: readonly unknown[], data: ReplyData): Promise<ProxyReply> {
    if (this.#broken !== undefined) throw this.#broken;
    const request = Buffer.from(JSON.stringify({ method, args }));
    if (request.length > MAX_PACKET_BYTES) {
      throw new SkopeoError('SKOPEO_PROTOCOL', `The request ${method} is longer than ${MAX_PACKET_BYTES} bytes`);
    }
    try {
      this.#signal?.throwIfAborted();
      writeSync(this.#process.socketFd, request);
      const { packet, fds } = await this.#receive(method);
      return parseReply(method, packet, fds, data);
    } catch (error) {
      if (!(error instanceof SkopeoError && error.code === 'SKOPEO_FAILED')) this.#broken ??= error;
      throw errorCode(error) === 'EPIPE' ? await this.#exited(method) : error;
    }
  }

  async #receive(method: string): Promise<{ packet: Buffer; fds: readonly number[] }> {
    for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const received = tryReceive(this.#process.socketFd);
      if (received === 'closed') throw await this.#exited(method);
      if (received !== undefined) return received;
      await delay(pause);
      this.#signal?.throwIfAborted();
    }
  }

  async #exited(method: string): Promise<SkopeoError> {
    const words = await Promise.race([this.#process.lastWords(), delay(500, 'it still runs')]);
    return new SkopeoError(
      'SKOPEO_EXITED',
      `skopeo proxy unexpectedly exited during request method ${method}: ${words}`,
    );
  }
}

function supportedMinor(version: unknown): number {
  if (typeof version !== 'string') throw protocolError('Initialize', 'no version');
  const match = /^0\.2\.([0-9]{1,4})(?:[-+].*)?$/.exec(version);
  const minor = Number(match?.[1] ?? -1);
  if (minor >= OLDEST_MINOR) return minor;
  throw new SkopeoError('SKOPEO_TOO_OLD', `skopeo speaks version ${version} of the image proxy protocol`, {
    hint: `Needed is 0.2.${OLDEST_MINOR} or a later 0.2: skopeo 1.6 or newer.`,
  });
}

async function collect(method: string, fd: number, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of readPipe(fd)) {
      size += chunk.length;
      if (size > maxBytes) throw protocolError(method, `more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } finally {
    closeSync(fd);
  }
  return Buffer.concat(chunks);
}
