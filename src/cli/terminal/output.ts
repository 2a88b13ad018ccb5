import type { Writable } from 'node:stream';
import { printableJson } from '../../bytes/printable.js';
import { printLines } from './terminal-text.js';

const BATCH_SIZE = 64 * 1024;

/** The reader of our standard output is gone (`cfsctl … | head`). Not worth a message. */
export class OutputClosedError extends Error {}

/**
 * Standard output. A write resolves when the bytes are handed over, so that a slow reader slows us down.
 *
 * Text goes out in lines, in which nothing can command a terminal or begin another line, whoever wrote the names in it.
 * What has to stay as it is goes out as bytes.
 */
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

  /** @param text without the end of the line. */
  async line(text: string): Promise<void> {
    await this.lines([text]);
  }

  /** @param lines without their ends; written many at a time. */
  async lines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
    const batches = Symbol.iterator in lines ? inBatches(lines) : inBatchesAsync(lines);
    for await (const batch of batches) await this.#write(printLines(batch));
  }

  /** Writes text in which nothing can do anything to a terminal, such as that of dumpfiles; nothing is added. */
  async text(pieces: Iterable<string>): Promise<void> {
    for (const piece of pieces) await this.#write(piece);
  }

  /** As every `--json` option prints it (spec 70 A6). */
  async json(value: unknown): Promise<void> {
    await this.#write(renderJson(value));
  }

  /** Writes content as it is, whatever it does to a terminal; nothing is added. */
  async bytes(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) await this.#write(chunk);
  }

  #write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(data, (error) => {
        if (error === null || error === undefined) resolve();
        else if (isClosedPipe(error)) reject(new OutputClosedError(error.message, { cause: error }));
        else reject(error);
      });
    });
  }
}

/** Without a promise for each line, which would take as long as to make the line. */
function* inBatches(lines: Iterable<string>): Generator<string[]> {
  const batch = new Batch();
  for (const line of lines) {
    if (batch.add(line)) yield batch.take();
  }
  if (!batch.isEmpty) yield batch.take();
}

async function* inBatchesAsync(lines: AsyncIterable<string>): AsyncGenerator<string[]> {
  const batch = new Batch();
  for await (const line of lines) {
    if (batch.add(line)) yield batch.take();
  }
  if (!batch.isEmpty) yield batch.take();
}

class Batch {
  #lines: string[] = [];
  #size = 0;

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** True: there is enough to be written. */
  add(line: string): boolean {
    this.#lines.push(line);
    this.#size += line.length;
    return this.#size >= BATCH_SIZE;
  }

  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#size = 0;
    return lines;
  }
}

/** Lines that come with their ends, as those of a dumpfile do. */
export function* withoutEnds(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield line.endsWith('\n') ? line.slice(0, -1) : line;
}

function isClosedPipe(error: Error & { code?: string }): boolean {
  return error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED';
}

/** JSON as every `--json` option prints it: two spaces, and a newline at the end (spec 70 A6). */
export function renderJson(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}

/** JSON on one line. */
export function renderJsonLine(value: unknown): string {
  return `${printableJson(JSON.stringify(value))}\n`;
}
