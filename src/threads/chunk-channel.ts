import type { MessagePort } from 'node:worker_threads';
import { ComposefsError } from '../errors.js';

/**
 * Bytes on their way from one thread to another through a message port, with back pressure: the reader says how many bytes
 * it wants, and no more are on their way. Memory changes hands where it can, without a copy.
 */

/** Bytes that are on their way, at least one chunk. */
const WINDOW_BYTES = 1 << 20;

type ToReader =
  | { readonly type: 'chunk'; readonly data: Uint8Array }
  | { readonly type: 'end' }
  /** The sender has an error, and tells who it belongs to in its own way. */
  | { readonly type: 'failed' };

/** That so many bytes more may come. */
type ToSender = { readonly type: 'want'; readonly bytes: number };

/**
 * Hands chunks on as they are wanted: nothing is asked of `chunks` before. Settles when they are all sent, when the reader
 * is gone, or when they fail; `chunks` is ended then.
 *
 * @throws what `chunks` throws.
 */
export async function sendChunks(port: MessagePort, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let wanted = 0;
  let isClosed = false;
  let wake = (): void => undefined;
  port.on('message', (message: ToSender) => {
    wanted += message.bytes;
    wake();
  });
  port.once('close', () => {
    isClosed = true;
    wake();
  });
  const post = (message: ToReader, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const isWanted = async (): Promise<boolean> => {
    while (wanted <= 0 && !isClosed) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return !isClosed;
  };
  try {
    if (!(await isWanted())) return;
    for await (const chunk of chunks) {
      wanted -= chunk.length;
      const data = ownMemory(chunk);
      post({ type: 'chunk', data }, [data.buffer]);
      if (!(await isWanted())) return;
    }
    post({ type: 'end' });
  } catch (error) {
    post({ type: 'failed' });
    throw error;
  } finally {
    // What was posted arrives; no message comes any more.
    port.removeAllListeners('message');
    port.unref();
  }
}

/** The bytes as the only ones of their memory: others may be looking at what is beside them, or at the pool of Node. */
function ownMemory(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = chunk;
  const isWhole = byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
  return isWhole ? new Uint8Array(buffer) : (Uint8Array.prototype.slice.call(chunk) as Uint8Array<ArrayBuffer>);
}

/**
 * The chunks that {@link sendChunks} of another thread sends to this port, which is closed at the end, or when the
 * iteration is left.
 *
 * @throws ComposefsError `SENDER_FAILED` if the other side has an error; the signal's reason.
 */
export async function* receiveChunks(port: MessagePort, signal: AbortSignal): AsyncGenerator<Buffer> {
  const want = (bytes: number): void => port.postMessage({ type: 'want', bytes } satisfies ToSender);
  let wake = (): void => undefined;
  let isClosed = false;
  const received: ToReader[] = [];
  const onAbort = (): void => wake();
  port.on('message', (message: ToReader) => {
    received.push(message);
    wake();
  });
  port.once('close', () => {
    isClosed = true;
    wake();
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    want(WINDOW_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const message = received.shift();
      if (message === undefined) {
        if (isClosed) throw senderFailed();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if (message.type === 'chunk') {
        const chunk = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength);
        yield chunk;
        want(chunk.length);
      } else if (message.type === 'end') {
        return;
      } else {
        throw senderFailed();
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    port.close();
  }
}

function senderFailed(): ComposefsError {
  return new ComposefsError('SENDER_FAILED', 'the thread that sends the bytes has failed');
}
