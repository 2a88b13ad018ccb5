import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault, FaultPlan } from './fault.js';
import { type ApiContext, handleApi } from './registry-api.js';
import { TOKEN_PATH } from './registry-auth.js';
import {
  bufferBody,
  emptyReply,
  errorReply,
  type RegistryReply,
  type RegistryRequest,
  ReplyError,
} from './registry-message.js';
import { sendReply } from './send-reply.js';

/** One request as it came in and how it was answered. */
export interface LoggedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<NodeJS.Dict<string | string[]>>;
  /** Of the reply; undefined as long as there is none. */
  status: number | undefined;
  /** Bytes of the reply's body that were sent. */
  bytesSent: number;
  /** The faults that befell it. */
  readonly faults: readonly Fault[];
}

export interface ServedRegistry {
  readonly context: ApiContext;
  readonly faults: FaultPlan;
  readonly log: LoggedRequest[];
}

/** Answers one request: log, faults, token endpoint or API. Never throws. */
export async function serveRequest(
  incoming: IncomingMessage,
  response: ServerResponse,
  registry: ServedRegistry,
): Promise<void> {
  const connection = new AbortController();
  response.on('close', () => connection.abort());
  const { method = 'GET', url = '/', headers } = incoming;
  const { pathname, searchParams } = new URL(url, registry.context.origin);
  const path = decodePath(pathname);
  const hasRange = headers.range !== undefined;
  const faults = registry.faults.take({ method, path, pathAndQuery: url, hasRange });
  const logged: LoggedRequest = { method, url, headers, status: undefined, bytesSent: 0, faults };
  registry.log.push(logged);
  const request: RegistryRequest = {
    method,
    path,
    query: searchParams,
    headers: faults.some(({ type }) => type === 'ignore-range') ? { ...headers, range: undefined } : headers,
    readBody: (maxBytes) => readBody(incoming, maxBytes, cutAfter(faults)),
  };
  try {
    const reply = faultReply(faults, url) ?? (await makeReply(request, registry.context));
    logged.status = reply.status;
    const onSent = (bytes: number): void => {
      logged.bytesSent += bytes;
    };
    await sendReply(reply, faults, response, connection.signal, onSent);
  } catch (error) {
    // A client that goes away is none of the registry's business.
    if (!connection.signal.aborted) response.destroy(error instanceof Error ? error : undefined);
  }
}

async function makeReply(request: RegistryRequest, context: ApiContext): Promise<RegistryReply> {
  try {
    const { authority } = context;
    if (request.path === TOKEN_PATH && authority.hasTokenEndpoint) return await authority.replyWithToken(request);
    const reply = await handleApi(request, context);
    const headers = { 'docker-distribution-api-version': 'registry/2.0', ...reply.headers };
    return { ...reply, headers };
  } catch (error) {
    if (error instanceof ReplyError) return error.reply;
    return errorReply(500, 'UNKNOWN', error instanceof Error ? error.message : String(error));
  }
}

/** The reply that a fault puts in place of the right one. */
function faultReply(faults: readonly Fault[], pathAndQuery: string): RegistryReply | undefined {
  for (const fault of faults) {
    if (fault.type === 'status') return statusReply(fault);
    if (fault.type === 'disconnect') return emptyReply(500);
    if (fault.type === 'redirect') {
      const location = typeof fault.location === 'string' ? fault.location : fault.location(pathAndQuery);
      return emptyReply(fault.status ?? 307, { location });
    }
  }
  return undefined;
}

function statusReply(fault: Extract<Fault, { type: 'status' }>): RegistryReply {
  const { status, body, code = 'UNKNOWN', message = `injected fault ${status}` } = fault;
  const entries = Object.entries(fault.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const headers = Object.fromEntries(entries);
  return body === undefined
    ? errorReply(status, code, message, headers)
    : { status, headers, body: bufferBody(Buffer.from(body)) };
}

function cutAfter(faults: readonly Fault[]): number {
  const cuts = faults.map((fault) => (fault.type === 'cut-upload' ? fault.afterBytes : Number.POSITIVE_INFINITY));
  return Math.min(Number.POSITIVE_INFINITY, ...cuts);
}

/** @param cutAt - the client is let down when so many bytes have come. */
async function readBody(incoming: IncomingMessage, maxBytes: number, cutAt: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > maxBytes) throw new ReplyError(errorReply(413, 'SIZE_INVALID', `more than ${maxBytes} bytes`));
    chunks.push(chunk);
    if (size < cutAt) continue;
    incoming.socket.destroy();
    return Buffer.concat(chunks).subarray(0, cutAt);
  }
  return Buffer.concat(chunks);
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
