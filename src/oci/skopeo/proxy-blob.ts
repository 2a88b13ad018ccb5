import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fullMessage } from '../../errors.js';
import { growPipe } from '../../linux/pipe.js';
import { readPipe } from '../blob/pipe-blob.js';
import type { Descriptor } from '../model/descriptor.js';
import type { ProxyClient } from './proxy-client.js';
import { answeredError } from './proxy-error.js';

/** The protocol's 0.2.x that has GetRawBlob. */
const RAW_BLOB_MINOR = 8;
/** After this time without a byte the proxy is asked what the matter is. */
const STALL_MS = 5000;
/** What Linux allows everybody. */
const PIPE_BYTES = 1 << 20;
const MAX_ERROR_BYTES = 16_384;
const ERROR_PATIENCE_MS = 500;

/** Reads the blob as the proxy writes it. Settles soon after the signal. */
type UseBlob<T> = (chunks: AsyncGenerator<Buffer>) => Promise<T>;

/**
 * Lets the proxy write a blob into a pipe while `use` reads that.
 *
 * @throws what `use` throws, unless the proxy knows the cause: then SkopeoError.
 */
export async function withProxyBlob<T>(
  client: ProxyClient,
  image: unknown,
  blob: Descriptor,
  signal: AbortSignal,
  use: UseBlob<T>,
): Promise<T> {
  const lend = client.speaks(RAW_BLOB_MINOR) ? withRawBlob : withCheckedBlob;
  return await lend(client, image, blob, signal, use);
}

/** The proxy ends both pipes by itself, and says in the second one what went wrong. The reader checks the digest. */
async function withRawBlob<T>(
  client: ProxyClient,
  image: unknown,
  descriptor: Descriptor,
  signal: AbortSignal,
  use: UseBlob<T>,
): Promise<T> {
  const { fds } = await client.call('GetRawBlob', [image, descriptor.digest], 'two pipes');
  const [dataFd = -1, errorFd = -1] = fds;
  let open = true;
  const closeData = (): void => {
    if (open) closeSync(dataFd);
    open = false;
  };
  try {
    return await use(readBlobPipe(dataFd, descriptor));
  } catch (error) {
    closeData();
    signal.throwIfAborted();
    const answer = await readError(errorFd);
    throw answer === undefined ? error : answeredError('GetRawBlob', answer);
  } finally {
    closeData();
    closeSync(errorFd);
  }
}

/** The proxy's reason, if it has one and it is not that we stopped reading. */
async function readError(fd: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  const reading = (async () => {
    for await (const chunk of readPipe(fd, MAX_ERROR_BYTES)) chunks.push(chunk);
  })();
  await Promise.race([reading, delay(ERROR_PATIENCE_MS, undefined, { ref: false })]);
  try {
    const { code, message }: { code?: unknown; message?: unknown } = JSON.parse(Buffer.concat(chunks).toString());
    return code !== 'EPIPE' && typeof message === 'string' && !isBrokenPipe(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Before 0.2.8: the pipe ends only with FinishPipe, which tells whether the blob was right, but blocks the proxy until it
 * is written. So it is called when everything was read; earlier only where nothing more comes, which may be because the
 * proxy gave up.
 */
async function withCheckedBlob<T>(
  client: ProxyClient,
  image: unknown,
  descriptor: Descriptor,
  signal: AbortSignal,
  use: UseBlob<T>,
): Promise<T> {
  const { pipeId, fds } = await client.call('GetBlob', [image, descriptor.digest, descriptor.size], 'pipe');
  const [fd = -1] = fds;
  let finished: Promise<{ error: unknown } | undefined> | undefined;
  const finish = (): Promise<{ error: unknown } | undefined> => {
    finished ??= client.finishPipe(pipeId).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    return finished;
  };
  const stalled = setTimeout(() => void finish(), STALL_MS);
  let outcome: { result: T } | { error: unknown };
  try {
    outcome = { result: await use(readBlobPipe(fd, descriptor, () => void stalled.refresh())) };
  } catch (error) {
    outcome = { error };
  } finally {
    clearTimeout(stalled);
    closeSync(fd);
  }
  signal.throwIfAborted();
  const verdict = await finish();
  if ('error' in outcome) {
    throw verdict === undefined || isBrokenPipe(fullMessage(verdict.error)) ? outcome.error : verdict.error;
  }
  if (verdict !== undefined) throw verdict.error;
  return outcome.result;
}

async function* readBlobPipe(
  fd: number,
  { size }: Descriptor,
  onChunk: () => void = () => undefined,
): AsyncGenerator<Buffer> {
  growPipe(fd, PIPE_BYTES);
  for await (const chunk of readPipe(fd, size)) {
    onChunk();
    yield chunk;
  }
}

/** The answer where we were first to give up. */
function isBrokenPipe(message: string): boolean {
  return /broken pipe|EPIPE/.test(message);
}
