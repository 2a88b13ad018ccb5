import { randomBytes } from 'node:crypto';
import { closeSync, openSync, statSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComposefsError } from '../errors.js';
import { readInto, writeFully } from './files.js';

export interface SpoolOptions {
  /** Bytes kept in memory before the rest goes to a file. Default 16 MiB. */
  readonly memoryLimit?: number;
  /** Where the temporary file is made. Default: the system's directory for temporary files. */
  readonly directory?: string;
}

const BLOCK_SIZE = 131072;
const DEFAULT_MEMORY_LIMIT = 16 * 1024 * 1024;

/**
 * Bytes of unknown length that are appended once and read back later: in memory up to a limit, beyond that in an
 * unlinked temporary file, which the kernel removes with the process whatever happens.
 */
export class Spool {
  readonly #memoryLimit: number;
  readonly #directory: string | undefined;
  /** Full blocks; byte `i` of the spool is in block `i / BLOCK_SIZE`. After spilling only the file has them. */
  #blocks: Buffer[] = [];
  /** The bytes after the last full block. */
  #tail: Buffer = Buffer.alloc(0);
  #tailLength = 0;
  #fullSize = 0;
  #fd: number | undefined;
  #disposed = false;

  constructor(options: SpoolOptions = {}) {
    this.#memoryLimit = options.memoryLimit ?? DEFAULT_MEMORY_LIMIT;
    this.#directory = options.directory;
  }

  /** Bytes appended so far. */
  get size(): number {
    return this.#fullSize + this.#tailLength;
  }

  append(data: Uint8Array): void {
    this.#checkUsable();
    let offset = 0;
    while (offset < data.length) {
      const room = BLOCK_SIZE - this.#tailLength;
      // Most are a few bytes: a view would take longer than to copy them.
      const part = offset === 0 && data.length <= room ? data : data.subarray(offset, offset + room);
      this.#growTail(this.#tailLength + part.length);
      this.#tail.set(part, this.#tailLength);
      this.#tailLength += part.length;
      offset += part.length;
      if (this.#tailLength === BLOCK_SIZE) this.#sealTail();
    }
  }

  /** Replaces bytes that were appended before. */
  patch(offset: number, data: Uint8Array): void {
    this.#checkUsable();
    if (offset < 0 || offset + data.length > this.size) {
      throw new RangeError(`patch of ${data.length} bytes at ${offset} is outside the spool of ${this.size} bytes`);
    }
    while (data.length > 0) {
      const inBlock = offset % BLOCK_SIZE;
      const room = BLOCK_SIZE - inBlock;
      const part = data.length <= room ? data : data.subarray(0, room);
      this.#patchBlock(offset - inBlock, inBlock, part);
      if (part === data) return;
      offset += part.length;
      data = data.subarray(part.length);
    }
  }

  /** The content in order, in pieces of at most 128 KiB. Do not change them; each is valid until the next one. */
  *chunks(): Generator<Buffer> {
    this.#checkUsable();
    // One for all: of those of 200 MB most would wait for the garbage collector at once.
    const block = this.#fd === undefined ? undefined : Buffer.allocUnsafeSlow(BLOCK_SIZE);
    for (let offset = 0; offset < this.#fullSize; offset += BLOCK_SIZE) {
      yield this.#blocks[offset / BLOCK_SIZE] ?? this.#readBlock(offset, block);
      this.#checkUsable();
    }
    if (this.#tailLength > 0) yield this.#tail.subarray(0, this.#tailLength);
  }

  /** Frees memory and file. The spool cannot be used afterwards. */
  dispose(): void {
    this.#disposed = true;
    this.#blocks = [];
    this.#tail = Buffer.alloc(0);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #growTail(needed: number): void {
    if (needed <= this.#tail.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(BLOCK_SIZE, Math.max(1024, 2 * needed)));
    grown.set(this.#tail.subarray(0, this.#tailLength));
    this.#tail = grown;
  }

  #sealTail(): void {
    if (this.#fd === undefined && this.#fullSize + BLOCK_SIZE > this.#memoryLimit) this.#spill();
    if (this.#fd === undefined) {
      this.#blocks.push(this.#tail);
      this.#tail = Buffer.alloc(0);
    } else {
      writeFully(this.#fd, this.#tail, this.#fullSize);
    }
    this.#fullSize += BLOCK_SIZE;
    this.#tailLength = 0;
  }

  #spill(): void {
    this.#fd = openUnlinked(this.#directory ?? tmpdir());
    for (const [index, block] of this.#blocks.entries()) writeFully(this.#fd, block, index * BLOCK_SIZE);
    this.#blocks = [];
  }

  #patchBlock(blockOffset: number, inBlock: number, data: Uint8Array): void {
    const block = blockOffset === this.#fullSize ? this.#tail : this.#blocks[blockOffset / BLOCK_SIZE];
    if (block !== undefined) block.set(data, inBlock);
    else if (this.#fd !== undefined) writeFully(this.#fd, data, blockOffset + inBlock);
  }

  #readBlock(offset: number, block: Buffer = Buffer.allocUnsafeSlow(BLOCK_SIZE)): Buffer {
    if (this.#fd === undefined || readInto(this.#fd, block, offset) < BLOCK_SIZE) {
      throw new ComposefsError('SPOOL_READ', 'temporary file is shorter than what was written to it');
    }
    return block;
  }

  #checkUsable(): void {
    if (this.#disposed) throw new ComposefsError('SPOOL_DISPOSED', 'the spool was already disposed of');
  }
}

/** A new file, open for reading and writing, that has no name and is gone with its last descriptor. */
export function openUnlinked(directory: string): number {
  const path = join(directory, `.composefs-spool-${randomBytes(12).toString('hex')}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

/** Where large files without a name are made: not in `/tmp`, which may be memory, unless asked for by `TMPDIR`. */
export function temporaryDirectory(): string {
  const isThere = statSync('/var/tmp', { throwIfNoEntry: false })?.isDirectory() === true;
  return process.env['TMPDIR'] === undefined && isThere ? '/var/tmp' : tmpdir();
}
