import type { Writable } from 'node:stream';

const BATCH_SIZE = 64 * 1024;

/** The reader of our standard output is gone (`cfsctl … | head`). Not worth a message. */
export class OutputClosedError extends Error {}

/** Standard output. A write resolves when the bytes are handed over, so that a slow reader slows us down. */
export class Output {
  readonly #stream: Writable & { readonly isTTY?: boolean };

  constructor(stream: Writable & { readonly isTTY?: boolean }) {
    this.#stream = stream;
    // Errors also reach the callback of the write; without a listener they would end the process.
    stream.on('error', () => undefined);
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(data, (error) => {
        if (error === null || error === undefined) resolve();
        else if (isClosedPipe(error)) reject(new OutputClosedError(error.message, { cause: error }));
        else reject(error);
      });
    });
  }

  /** Writes every chunk; nothing is added. */
  async writeChunks(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) await this.write(chunk);
  }

  /** Writes ASCII text pieces, many at a time. */
  async writeText(pieces: Iterable<string>): Promise<void> {
    let batch = '';
    for (const piece of pieces) {
      batch += piece;
      if (batch.length < BATCH_SIZE) continue;
      await this.write(batch);
      batch = '';
    }
    if (batch !== '') await this.write(batch);
  }
}

function isClosedPipe(error: Error & { code?: string }): boolean {
  return error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED';
}
