import type { Socket } from 'node:net';
import { type BodyDecoder, bodyDecoder } from './body-decoder.js';
import { Inbox } from './inbox.js';
import { type ResponseHead, ResponseHeadParser } from './response-head.js';

/** The server, or something on the way, closed the connection. Its code makes it one that may be tried again. */
export class ConnectionClosed extends Error {
  readonly code = 'ECONNRESET';
}

/** What a socket brings (`onread` of node:net), from its first byte on. */
export interface SocketInput {
  readonly inbox: Inbox;
  /** Called when something was put into the inbox. */
  onInput: () => void;
}

/** A body that is sent. */
export interface OutgoingBody {
  readonly chunks: AsyncIterable<Buffer> | Iterable<Buffer>;
  /** Told of each piece that the socket has taken. */
  readonly onSent?: (bytes: number) => void;
}

export interface SendOptions {
  /** What is left of it when the answer comes is not sent. */
  readonly body?: OutgoingBody | undefined;
  /** The answer to a HEAD has no body, whatever its head says. */
  readonly isHead?: boolean;
}

/** One connection, over which requests go one after the other (RFC 9112). */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #inbox: Inbox;
  /** What was taken out of the inbox and not read yet. */
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;
  #hasEnded = false;
  #wake: (() => void) | undefined;
  #isWaking = false;
  #isSending = false;
  #wakeSender: (() => void) | undefined;
  #keepsAlive = true;
  #decoder: BodyDecoder | undefined;
  #content: Buffer[] = [];

  /**
   * @param socket - connected, and this object's from now on, until {@link detach}.
   * @param input - where the socket puts what it brings; without it, it tells that in its events.
   */
  constructor(socket: Socket, input?: SocketInput) {
    this.#socket = socket;
    this.#inbox = input?.inbox ?? new Inbox();
    if (input === undefined) socket.on('data', this.#onData);
    else input.onInput = this.#onInput;
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    socket.on('drain', this.#onRoom);
  }

  /** Whether the answer is read to its end and another request may follow. */
  get isReusable(): boolean {
    const isIdle = this.#decoder === undefined || (this.#decoder.isDone && this.#content.length === 0);
    // What nobody asked for would be taken for the next answer.
    return isIdle && this.#keepsAlive && !this.#hasEnded && this.#failure === undefined && !this.#hasUnread;
  }

  /** Whether more has come than was read. */
  get #hasUnread(): boolean {
    return this.#rest.length > 0 || this.#inbox.size > 0;
  }

  /**
   * Sends a request, of bytes as they go over the wire, and waits for the head of the answer.
   *
   * @throws HttpSyntaxError, the error of the socket, or that of the body.
   */
  async send(request: string, { body, isHead = false }: SendOptions = {}): Promise<ResponseHead> {
    this.#decoder = undefined;
    this.#socket.write(request, 'latin1');
    if (body === undefined) return await this.#receiveHead(isHead);
    this.#isSending = true;
    // What goes wrong with the body ends the wait for an answer.
    const sent = this.#sendBody(body).catch((error: unknown) => this.destroy(asError(error)));
    try {
      const head = await this.#receiveHead(isHead);
      // An answer before the end of the body: nobody can tell what the server makes of the rest.
      if (this.#isSending) this.#keepsAlive = false;
      return head;
    } finally {
      this.#isSending = false;
      this.#onRoom();
      await sent;
    }
  }

  async #sendBody({ chunks, onSent }: OutgoingBody): Promise<void> {
    for await (const chunk of chunks) {
      if (!this.#socket.write(chunk) && this.#failure === undefined) {
        await new Promise<void>((resolve) => {
          this.#wakeSender = resolve;
        });
      }
      if (this.#failure !== undefined || !this.#isSending) return;
      onSent?.(chunk.length);
    }
    this.#isSending = false;
  }

  async #receiveHead(isHead: boolean): Promise<ResponseHead> {
    const parser = new ResponseHeadParser();
    for (;;) {
      const data = await this.#next();
      if (data === undefined) throw new ConnectionClosed('the connection was closed before an answer');
      const parsed = parser.push(data);
      if (parsed === undefined) continue;
      const { head, next } = parsed;
      this.#rest = data.subarray(next);
      this.#keepsAlive = head.keepsAlive;
      this.#decoder = bodyDecoder(isHead ? { kind: 'length', length: 0 } : head.framing);
      return head;
    }
  }

  /**
   * The next piece of the body, valid until the one after it is asked for; undefined at its end.
   *
   * @throws HttpSyntaxError, or the error of the socket.
   */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      const piece = this.#content.shift();
      if (piece !== undefined) return piece;
      const decoder = this.#decoder;
      if (decoder === undefined || decoder.isDone) return undefined;
      const data = await this.#next();
      if (data === undefined) {
        this.#keepsAlive = false;
        if (decoder.mayEnd) return undefined;
        throw new ConnectionClosed('the connection was closed before the end of the answer');
      }
      const { content, next } = decoder.push(data);
      this.#content = [...content];
      this.#rest = data.subarray(next);
    }
  }

  /** Passes over what has come of the body. @returns whether that was its end. */
  skip(): boolean {
    const decoder = this.#decoder;
    for (;;) {
      this.#content = [];
      if (decoder === undefined || decoder.isDone) return true;
      const data = this.#take();
      if (data.length === 0) return false;
      this.#rest = data.subarray(decoder.push(data).next);
    }
  }

  /** Does not keep the process alive while nobody waits for anything. */
  idle(isIdle: boolean): void {
    if (isIdle) this.#socket.unref();
    else this.#socket.ref();
  }

  /** Closes the connection. Who waits for something gets the error. */
  destroy(error?: Error): void {
    this.#failure ??= error ?? new ConnectionClosed('the connection was closed');
    this.#socket.destroy();
    this.#wake?.();
    this.#onRoom();
  }

  /** The socket, of which nothing beyond the last answer was read; this object is done with. */
  detach(): Socket | undefined {
    if (this.#hasUnread || this.#failure !== undefined || this.#hasEnded) return undefined;
    this.#socket.pause();
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('error', this.#onError);
    this.#socket.off('close', this.#onClose);
    this.#socket.off('drain', this.#onRoom);
    return this.#socket;
  }

  async #next(): Promise<Buffer | undefined> {
    for (;;) {
      const data = this.#take();
      if (data.length > 0) return data;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#hasEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What has come and was not read; empty if there is nothing. */
  #take(): Buffer {
    const rest = this.#rest;
    this.#rest = rest.subarray(rest.length);
    if (rest.length > 0) return rest;
    const taken = this.#inbox.take();
    if (taken.length > 0) this.#socket.resume();
    return taken;
  }

  readonly #onData = (data: Buffer): void => {
    this.#inbox.append(data);
    this.#onInput();
  };

  /**
   * The reader is woken once in a turn of the event loop: TLS brings 16 KiB at a time, and each of them would cost as
   * much as all that has come.
   */
  readonly #onInput = (): void => {
    if (this.#inbox.isFull) this.#socket.pause();
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#wake?.();
    });
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.#wake?.();
  };

  readonly #onError = (error: Error): void => {
    this.#failure ??= error;
    this.#wake?.();
    this.#onRoom();
  };

  readonly #onRoom = (): void => {
    this.#wakeSender?.();
    this.#wakeSender = undefined;
  };

  readonly #onClose = (): void => {
    if (!this.#hasEnded) this.#failure ??= new ConnectionClosed('the connection was closed');
    this.#wake?.();
    this.#onRoom();
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
