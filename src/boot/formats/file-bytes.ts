import { fileSize, type RegularFile } from '../../composefs/tree/inode.js';
import { type ObjectSource, readFileChunks } from '../../composefs/tree/read-file.js';

/** Some bytes, of which parts are read by their place: kernels are large, and of a UKI only little is looked at. */
export interface FileBytes {
  readonly size: number;
  /** A part that lies within the size. */
  read(offset: number, length: number): Buffer;
}

export function bytesOf(data: Uint8Array): FileBytes {
  return { size: data.length, read: (offset, length) => Buffer.from(data.subarray(offset, offset + length)) };
}

/** The bytes of a file in a tree. A sparse one has none, as everywhere where boot files are read. */
export function bytesOfFile(file: RegularFile, objects: ObjectSource): FileBytes {
  if (file.storage === 'inline') return bytesOf(file.data);
  if (file.storage === 'sparse') return bytesOf(Buffer.alloc(0));
  return new ObjectBytes(file, objects);
}

/** Reads on where it stopped, or from the beginning again: formats go through their file once, mostly forwards. */
class ObjectBytes implements FileBytes {
  readonly size: number;
  readonly #file: RegularFile;
  readonly #objects: ObjectSource;
  #chunks: Iterator<Buffer> | undefined;
  #chunk: Buffer = Buffer.alloc(0);
  /** Where the chunk begins in the file. */
  #start = 0;

  constructor(file: RegularFile, objects: ObjectSource) {
    this.size = fileSize(file);
    this.#file = file;
    this.#objects = objects;
  }

  read(offset: number, length: number): Buffer {
    if (this.#chunks === undefined || offset < this.#start) this.#restart();
    const parts: Buffer[] = [];
    for (let at = offset; at < offset + length; ) {
      while (at >= this.#start + this.#chunk.length) this.#next();
      const part = this.#chunk.subarray(at - this.#start, offset + length - this.#start);
      parts.push(part);
      at += part.length;
    }
    return Buffer.concat(parts);
  }

  #restart(): void {
    this.#chunks?.return?.();
    this.#chunks = readFileChunks(this.#file, this.#objects);
    this.#chunk = Buffer.alloc(0);
    this.#start = 0;
  }

  /** The file has its size, or reading it fails: there is always a next piece before its end. */
  #next(): void {
    const next = this.#chunks?.next();
    if (next === undefined || next.done === true) throw new RangeError('read behind the end of the file');
    this.#start += this.#chunk.length;
    this.#chunk = next.value;
  }
}
