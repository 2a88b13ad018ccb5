import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { Fault } from './fault.js';
import type { RegistryReply } from './registry-message.js';

type FaultOf<Type extends Fault['type']> = Extract<Fault, { type: Type }>;

function find<Type extends Fault['type']>(faults: readonly Fault[], type: Type): FaultOf<Type> | undefined {
  return faults.find((fault): fault is FaultOf<Type> => fault.type === type);
}

/**
 * Sends a reply, spoiled by faults.
 *
 * @param signal - aborts when the connection is gone.
 * @param onSent - gets the number of bytes of each piece of the body when it is on its way.
 */
export async function sendReply(
  reply: RegistryReply,
  faults: readonly Fault[],
  response: ServerResponse,
  signal: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<void> {
  const slow = find(faults, 'slow');
  if (slow?.delayMs !== undefined) await setTimeout(slow.delayMs, undefined, { signal });
  if (find(faults, 'disconnect') !== undefined) {
    response.socket?.destroy();
    return;
  }
  const declared = writeHead(reply, faults, response);
  if (response.req.method === 'HEAD' || reply.body === undefined) {
    response.end();
    return;
  }
  const cut = find(faults, 'cut');
  const stall = find(faults, 'stall');
  const limit = Math.min(cut?.afterBytes ?? Infinity, stall?.afterBytes ?? Infinity);
  // A client that waits for the body has to have the headers even if no byte follows.
  response.flushHeaders();
  let sent = 0;
  for await (const chunk of pieces(corrupted(reply, faults), limit, slow?.bytesPerSecond, signal)) {
    await write(response, chunk, signal);
    sent += chunk.length;
    onSent(chunk.length);
  }
  if (cut !== undefined && sent === cut.afterBytes) {
    await closeConnection(response, cut.reset === true);
  } else if (stall !== undefined && sent === stall.afterBytes) {
    await once(signal, 'abort');
  } else if (declared !== undefined && declared !== sent) {
    // The client may wait for more, or has the rest in its next reply: there must not be one.
    await closeConnection(response, false);
  } else {
    response.end();
  }
}

/** @returns the length that the headers promise. */
function writeHead(reply: RegistryReply, faults: readonly Fault[], response: ServerResponse): number | undefined {
  const headers = new Map(Object.entries(reply.headers));
  if (reply.body !== undefined) headers.set('content-length', String(reply.body.size));
  else if (reply.status !== 204) headers.set('content-length', '0');
  for (const fault of faults) {
    if (fault.type !== 'headers') continue;
    for (const [name, value] of Object.entries(fault.headers)) {
      if (value === undefined) headers.delete(name.toLowerCase());
      else headers.set(name.toLowerCase(), value);
    }
  }
  response.writeHead(reply.status, Object.fromEntries(headers));
  const length = headers.get('content-length');
  return length === undefined ? undefined : Number(length);
}

/** The body, with one byte changed if a fault says so. */
async function* corrupted(reply: RegistryReply, faults: readonly Fault[]): AsyncGenerator<Buffer> {
  const { body, part } = reply;
  if (body === undefined) return;
  const fault = find(faults, 'corrupt');
  const target = fault === undefined ? -1 : (fault.offset ?? Math.floor((part?.total ?? body.size) / 2));
  let position = part?.offset ?? 0;
  for await (const chunk of body.chunks()) {
    const at = target - position;
    position += chunk.length;
    const byte = chunk[at];
    if (byte === undefined) {
      yield chunk;
    } else {
      const changed = Buffer.from(chunk);
      changed[at] = byte ^ 0xff;
      yield changed;
    }
  }
}

const TICK_MS = 50;

/** The chunks up to `limit` bytes, not faster than `bytesPerSecond`. */
async function* pieces(
  chunks: AsyncIterable<Buffer>,
  limit: number,
  bytesPerSecond: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const step = bytesPerSecond === undefined ? Infinity : Math.max(1, Math.floor((bytesPerSecond * TICK_MS) / 1000));
  let left = limit;
  for await (const chunk of chunks) {
    for (let position = 0; position < chunk.length; ) {
      if (left <= 0) return;
      const length = Math.min(step, left, chunk.length - position);
      yield chunk.subarray(position, position + length);
      position += length;
      left -= length;
      if (bytesPerSecond !== undefined) await setTimeout((length / bytesPerSecond) * 1000, undefined, { signal });
    }
  }
}

async function write(response: ServerResponse, chunk: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!response.write(chunk)) await once(response, 'drain', { signal });
}

/** Closes the connection when what was written is on its way. */
async function closeConnection(response: ServerResponse, reset: boolean): Promise<void> {
  const { socket } = response;
  if (socket === null) return;
  if (socket.writableLength > 0) {
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.write('', () => resolve());
    });
  }
  if (reset) socket.resetAndDestroy();
  else socket.destroy();
}
