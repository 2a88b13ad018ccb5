import assert from 'node:assert/strict';
import type { SparseFile } from '../../src/tar/sparse.js';
import type { TarSink } from '../../src/tar/splitter.js';
import { TarSplitter } from '../../src/tar/splitter.js';
import { TarError } from '../../src/tar/tar-error.js';

/** A tar as a sink saw it: inline parts and file contents in turn, neighbouring pieces joined. */
export type SplitPart = { readonly inline: Buffer } | { readonly file: Buffer; readonly sparse?: SparseFile };

/** Checks the protocol of {@link TarSink} and keeps what it is told. */
export class RecordingSink implements TarSink {
  readonly parts: SplitPart[] = [];
  #inline: Buffer[] = [];
  #content: Buffer[] | undefined;
  #missing = 0;
  #sparse: SparseFile | undefined;

  inline(data: Buffer): void {
    if (this.#content !== undefined) throw new Error('inline data inside a file');
    if (data.length === 0) throw new Error('empty inline data');
    this.#inline.push(Buffer.from(data));
  }

  beginFile(size: number, sparse: SparseFile | undefined): void {
    if (this.#content !== undefined) throw new Error('a file inside a file');
    if ((sparse?.size ?? size) <= 64) throw new Error('a small file');
    this.flush();
    this.#content = [];
    this.#missing = size;
    this.#sparse = sparse;
  }

  fileData(chunk: Buffer): void {
    if (this.#content === undefined) throw new Error('content outside a file');
    if (chunk.length === 0) throw new Error('empty content');
    this.#content.push(Buffer.from(chunk));
    this.#missing -= chunk.length;
  }

  endFile(): void {
    if (this.#content === undefined) throw new Error('the end of no file');
    if (this.#missing !== 0) throw new Error(`${this.#missing} bytes missing`);
    const file = Buffer.concat(this.#content);
    this.parts.push(this.#sparse === undefined ? { file } : { file, sparse: this.#sparse });
    this.#content = undefined;
  }

  /** Completes the last inline part. */
  flush(): void {
    if (this.#inline.length > 0) this.parts.push({ inline: Buffer.concat(this.#inline) });
    this.#inline = [];
  }
}

/** Pushes a tar in chunks of the given sizes, in turn and over again, from one buffer that is overwritten each time. */
export function splitTar(tar: Buffer, chunkSizes: readonly number[] = [tar.length || 1]): SplitPart[] {
  const sink = new RecordingSink();
  const splitter = new TarSplitter(sink);
  const buffer = Buffer.alloc(Math.max(...chunkSizes));
  for (let position = 0, i = 0; position < tar.length; i++) {
    const length = tar.copy(buffer, 0, position, position + (chunkSizes[i % chunkSizes.length] ?? 1));
    splitter.push(buffer.subarray(0, length));
    buffer.fill(0xee);
    position += length;
  }
  splitter.finish();
  sink.flush();
  return sink.parts;
}

/** The tar again. */
export function joinParts(parts: readonly SplitPart[]): Buffer {
  return Buffer.concat(parts.map((part) => ('inline' in part ? part.inline : part.file)));
}

/** The lengths of the parts: negative for inline ones, as a splitstream has them. */
export function shape(tar: Buffer): number[] {
  return splitTar(tar).map((part) => ('inline' in part ? -part.inline.length : part.file.length));
}

/** Checks that a tar is refused, and where. */
export function assertRefused(tar: Buffer, message: string, offset: number): void {
  assert.throws(
    () => splitTar(tar),
    (error: unknown) => {
      assert(error instanceof TarError);
      assert.equal(error.message, `${message} (at tar offset ${offset})`);
      assert.equal(error.offset, offset);
      assert.equal(error.code, 'INVALID_TAR');
      return true;
    },
  );
}
