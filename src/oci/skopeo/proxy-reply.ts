import { closeSync } from 'node:fs';
import * as v from 'valibot';
import { errorCode, fullMessage } from '../../errors.js';
import { flag, struct, text, unsigned } from '../../json/schema.js';
import { receiveMessage } from '../../linux/fd-passing.js';
import { parseDocument } from '../model/schema.js';
import { answeredError, protocolError } from './proxy-error.js';

/** One packet, in either direction (spec 40 §5.1). */
export const MAX_PACKET_BYTES = 32_768;

/** What a method gives besides its value. */
export type ReplyData = 'nothing' | 'pipe' | 'two pipes';

export interface ProxyReply {
  readonly value: unknown;
  /** Names the pipe for FinishPipe; 0 for none. */
  readonly pipeId: number;
  /** Read ends of pipes, closed by the caller: as many as were expected. */
  readonly fds: readonly number[];
}

const FD_COUNTS: Readonly<Record<ReplyData, number>> = { nothing: 0, pipe: 1, 'two pipes': 2 };

const reply = struct({
  success: flag,
  value: v.optional(v.unknown()),
  pipeid: v.nullish(unsigned(0xffff_ffff)),
  error: v.nullish(text),
});

/**
 * The packet that has come with its descriptors; undefined as long as there is none.
 *
 * @returns `closed` if the other end is.
 */
export function tryReceive(socketFd: number): { packet: Buffer; fds: readonly number[] } | 'closed' | undefined {
  // One byte more tells a packet that is too long, which the kernel cuts.
  const buffer = Buffer.alloc(MAX_PACKET_BYTES + 1);
  try {
    const { size, fds } = receiveMessage(socketFd, buffer);
    return size === 0 ? 'closed' : { packet: buffer.subarray(0, size), fds };
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return undefined;
    if (errorCode(error) === 'ECONNRESET') return 'closed';
    throw error;
  }
}

/**
 * @throws SkopeoError `SKOPEO_FAILED`, `SKOPEO_PROTOCOL`; then all descriptors are closed.
 */
export function parseReply(method: string, packet: Buffer, fds: readonly number[], data: ReplyData): ProxyReply {
  try {
    const { success, value, pipeid = 0, error = '' } = parse(method, packet);
    if (!success) throw answeredError(method, error === '' ? 'no reason given' : error);
    const expected = FD_COUNTS[data];
    if (fds.length !== expected) throw protocolError(method, `${fds.length} descriptors instead of ${expected}`);
    if ((pipeid !== 0) !== (data === 'pipe')) throw protocolError(method, `pipe ${pipeid}`);
    return { value, pipeId: pipeid, fds };
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    throw error;
  }
}

function parse(method: string, packet: Buffer): v.InferOutput<typeof reply> {
  if (packet.length > MAX_PACKET_BYTES) throw protocolError(method, `longer than ${MAX_PACKET_BYTES} bytes`);
  try {
    return parseDocument('reply', reply, packet, MAX_PACKET_BYTES).value;
  } catch (error) {
    throw protocolError(method, fullMessage(error));
  }
}
