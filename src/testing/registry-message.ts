import type { IncomingHttpHeaders } from 'node:http';

/** What a handler of the test registry sees of a request. */
export interface RegistryRequest {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The whole body, up to `maxBytes`. */
  readonly readBody: (maxBytes: number) => Promise<Buffer>;
}

/** A body that can be read from any place, more than once. */
export interface ReplyBody {
  readonly size: number;
  readonly chunks: () => AsyncIterable<Buffer> | Iterable<Buffer>;
}

export interface RegistryReply {
  readonly status: number;
  /** Names in lower case. `content-length` is added by the sender. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: ReplyBody;
  /** Of a partial reply: where its body begins in the resource, and the size of that. */
  readonly part?: { readonly offset: number; readonly total: number };
}

const PIECE = 64 * 1024;

export function bufferBody(data: Buffer): ReplyBody {
  return {
    size: data.length,
    *chunks() {
      for (let position = 0; position < data.length; position += PIECE) {
        yield data.subarray(position, position + PIECE);
      }
    },
  };
}

export function emptyReply(status: number, headers: Readonly<Record<string, string>> = {}): RegistryReply {
  return { status, headers };
}

export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): RegistryReply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: bufferBody(Buffer.from(JSON.stringify(value))),
  };
}

/** The error document of the distribution specification; `code` such as `MANIFEST_UNKNOWN`. */
export function errorReply(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): RegistryReply {
  return jsonReply(status, { errors: [{ code, message, detail: null }] }, headers);
}

/** Thrown by handlers in place of a reply. */
export class ReplyError extends Error {
  readonly reply: RegistryReply;

  constructor(reply: RegistryReply) {
    super(`the registry replies ${reply.status}`);
    this.reply = reply;
  }
}
