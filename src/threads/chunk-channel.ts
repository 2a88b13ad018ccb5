import type { MessagePort } from 'node:worker_threads';
import { ComposefsError } from '../errors.js';

/**
 * Bytes on their way from one thread to another through a message port, in a few blocks of memory that go to the reader
 * full and come back to be filled again: so there is back pressure, and nothing to collect. With new memory for each
 * message V8 collected the whole heap of the reader for every ten megabytes.
 */

/** Bytes of a block, once there are many to send. */
const BLOCK_BYTES = 256 << 10;
const FIRST_BLOCK_BYTES = 16 << 10;
/** Blocks of one channel: two that the reader looks at, one that is being filled, the others on their way. */
const BLOCKS = 5;
/** The bytes of a slow source are passed on after this time, even if they are few. */
const GATHER_MS = 100;

type ToReader =
  | { readonly type: 'block'; readonly memory: ArrayBuffer; readonly length: number }
  | { readonly type: 'end' }
  /** The sender has an error, and tells who it belongs to in its own way. */
  | { readonly type: 'failed' };

/** A block that the reader is done with. */
interface ToSender {
  readonly memory: ArrayBuffer;
}

/**
 * Hands chunks on, which are used up when the next one is asked for. Some are asked for before anybody reads: whoever
 * brings them may begin while the reader's thread starts. Settles when they are all sent, when the reader is gone, or when
 * they fail; `chunks` is ended then.
 *
 * @throws what `chunks` throws.
 */
export async function sendChunks(port: MessagePort, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const sender = new Sender(port);
  try {
    for await (const chunk of chunks) {
      if (!(await sender.add(chunk))) return;
    }
    sender.end('end');
  } catch (error) {
    sender.end('failed');
    throw error;
  } finally {
    // What was posted arrives; no message comes any more.
    port.removeAllListeners('message');
    port.unref();
  }
}

interface Filling {
  readonly block: Uint8Array<ArrayBuffer>;
  used: number;
  /** When its first bytes came. */
  readonly since: number;
}

class Sender {
  readonly #port: MessagePort;
  readonly #free: ArrayBuffer[] = [];
  /** Blocks that there are. */
  #blocks = 0;
  #blockBytes = FIRST_BLOCK_BYTES;
  #filling: Filling | undefined;
  #isClosed = false;
  #wake = (): void => undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', ({ memory }: ToSender) => {
      // Small ones are those of the beginning.
      if (memory.byteLength < BLOCK_BYTES) this.#blocks--;
      else this.#free.push(memory);
      this.#wake();
    });
    port.once('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** @returns false if nobody reads any more. */
  async add(chunk: Uint8Array): Promise<boolean> {
    for (let offset = 0; offset < chunk.length; ) {
      const filling = this.#filling ?? (await this.#begin());
      if (filling === undefined) return false;
      const { block } = filling;
      const part = chunk.subarray(offset, offset + block.length - filling.used);
      block.set(part, filling.used);
      filling.used += part.length;
      offset += part.length;
      if (filling.used === block.length || performance.now() - filling.since > GATHER_MS) this.#post();
    }
    return !this.#isClosed;
  }

  end(type: 'end' | 'failed'): void {
    this.#post();
    this.#port.postMessage({ type } satisfies ToReader);
  }

  /** Waits for a block. @returns undefined if nobody reads any more. */
  async #begin(): Promise<Filling | undefined> {
    while (this.#free.length === 0 && this.#blocks === BLOCKS && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isClosed) return undefined;
    this.#filling = { block: new Uint8Array(this.#free.pop() ?? this.#newBlock()), used: 0, since: performance.now() };
    return this.#filling;
  }

  #newBlock(): ArrayBuffer {
    const memory = new ArrayBuffer(this.#blockBytes);
    this.#blocks++;
    this.#blockBytes = Math.min(4 * this.#blockBytes, BLOCK_BYTES);
    return memory;
  }

  #post(): void {
    if (this.#filling === undefined) return;
    const { block, used } = this.#filling;
    const memory = block.buffer;
    this.#port.postMessage({ type: 'block', memory, length: used } satisfies ToReader, [memory]);
    this.#filling = undefined;
  }
}

/**
 * The chunks that {@link sendChunks} of another thread sends to this port, which is closed at the end, or when the
 * iteration is left. A chunk is valid until the second one after it was asked for, so that one can be read ahead.
 *
 * @throws ComposefsError `SENDER_FAILED` if the other side has an error; the signal's reason.
 */
export async function* receiveChunks(port: MessagePort, signal: AbortSignal): AsyncGenerator<Buffer> {
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
    let previous: ArrayBuffer | undefined;
    for (;;) {
      signal.throwIfAborted();
      const message = received.shift();
      if (message === undefined) {
        if (isClosed) throw senderFailed();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if (message.type === 'block') {
        const { memory, length } = message;
        yield Buffer.from(memory, 0, length);
        if (previous !== undefined) port.postMessage({ memory: previous } satisfies ToSender, [previous]);
        previous = memory;
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
