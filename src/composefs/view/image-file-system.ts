import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type ByteString,
  byteStringFrom,
  byteStringFromText,
  byteStringToBuffer,
  byteStringToText,
} from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { depthExceeded, directoryHardlinks } from '../erofs/reader/errors.js';
import { MAX_TREE_DEPTH } from '../tree/limits.js';
import { type ExtractOptions, type ExtractResult, extract } from './extract.js';
import { FileError } from './file-error.js';
import { type ImageEntry, isDirectory, isFile, isSymlink } from './image-entry.js';
import { type Child, type Found, ImageReader } from './image-reader.js';
import { ImageDirent, ImageStats, pathText } from './image-stats.js';
import { CHUNK_SIZE, ObjectContent, type ObjectOpener } from './object-content.js';

/** A path from the root of the image, with or without a slash before it: text is taken as UTF-8. */
export type ImagePath = string | Uint8Array;

/** How a file is read whole. */
export interface ReadFileOptions {
  /** Text in this encoding instead of a buffer. */
  readonly encoding?: BufferEncoding | null | undefined;
  /** In bytes; a larger file is `FILE_TOO_LARGE` before anything is read. Default 2 GiB. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which part of a file is read as a stream. */
export interface ReadStreamOptions {
  /** Of the first byte. */
  readonly start?: number | undefined;
  /** Of the last byte, inclusive, as in `node:fs`. */
  readonly end?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How many entries a walk reads before it lets others work. */
const ENTRIES_A_TURN = 256;
const MAX_WHOLE_FILE = 2 ** 31;

/**
 * The files of an image, without a mount, in the shape of `node:fs/promises`. Symlinks are followed inside of the image
 * and never lead out of it. Only what is asked for is read.
 *
 * Errors that concern a path are those of `node:fs` (FileError: `ENOENT`, `ENOTDIR`, `EISDIR`, `ELOOP`, …).
 */
export class ImageFileSystem {
  readonly #reader: ImageReader;
  readonly #content: ObjectContent;

  /**
   * @param image the bytes of an EROFS image.
   * @param objects where the content of large files is; it must stay usable.
   * @param options.verify whether objects are hashed before they are read; where the kernel vouches for them, in vain.
   * @throws ErofsReaderError if it is no composefs image.
   */
  constructor(image: Buffer, objects: ObjectOpener, options: { readonly verify?: boolean | undefined } = {}) {
    this.#reader = new ImageReader(image, objects.algorithm);
    this.#content = new ObjectContent(objects, options.verify ?? false);
  }

  /** Follows symlinks. */
  async stat(path: ImagePath): Promise<ImageStats> {
    return new ImageStats(this.#find(path, true, 'stat').entry);
  }

  /** Of a symlink itself. */
  async lstat(path: ImagePath): Promise<ImageStats> {
    return new ImageStats(this.#find(path, false, 'lstat').entry);
  }

  /** Fails if there is nothing at `path`. Whether somebody may read it is not asked: it is only bytes here. */
  async access(path: ImagePath): Promise<void> {
    this.#find(path, true, 'access');
  }

  /** The same place, by a path without symlinks. */
  async realpath(path: ImagePath): Promise<string> {
    return pathText(this.#find(path, true, 'realpath').path);
  }

  /** The target of a symlink, as it is stored. */
  async readlink(path: ImagePath): Promise<string>;
  async readlink(path: ImagePath, options: { readonly encoding: 'buffer' }): Promise<Buffer>;
  async readlink(path: ImagePath, options?: { readonly encoding: 'buffer' }): Promise<string | Buffer> {
    const { entry } = this.#find(path, false, 'readlink');
    if (!isSymlink(entry)) throw new FileError('EINVAL', 'readlink', bytesOf(path));
    const target = this.#reader.target(entry);
    return options === undefined ? byteStringToText(target) : byteStringToBuffer(target);
  }

  /** The xattrs by their full names (`user.…`, `security.capability`), as the image was made with. */
  async xattrs(path: ImagePath, options: { readonly followSymlinks?: boolean } = {}): Promise<Map<string, Buffer>> {
    const { entry } = this.#find(path, options.followSymlinks ?? true, 'listxattr');
    return new Map([...entry.xattrs].map(([name, value]) => [byteStringToText(name), byteStringToBuffer(value)]));
  }

  /** The names in a directory, in the order of their bytes. */
  async readdir(path: ImagePath): Promise<string[]>;
  async readdir(path: ImagePath, options: { readonly withFileTypes: true }): Promise<ImageDirent[]>;
  async readdir(path: ImagePath, options?: { readonly withFileTypes: true }): Promise<string[] | ImageDirent[]> {
    const dirents: ImageDirent[] = [];
    for (const child of this.#reader.children(this.#directory(path))) {
      dirents.push(direntOf(child));
      if (dirents.length % ENTRIES_A_TURN === 0) await nextTurn();
    }
    return options === undefined ? dirents.map(({ name }) => name) : dirents;
  }

  /**
   * All that is below a directory, each directory before what is in it. Symlinks are not followed.
   *
   * @throws ErofsReaderError if the image leads to one directory twice, and so for ever.
   */
  async *walk(path: ImagePath = '/'): AsyncGenerator<ImageDirent> {
    const top = this.#directory(path);
    const seen = new Set([top.entry.inode.nid]);
    const levels = [this.#reader.children(top)];
    let count = 0;
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const next = level.next();
      if (next.done === true) {
        levels.pop();
        continue;
      }
      count += 1;
      if (count % ENTRIES_A_TURN === 0) await nextTurn();
      yield direntOf(next.value);
      const { parent, name, entry } = next.value;
      if (!isDirectory(entry)) continue;
      if (seen.has(entry.inode.nid)) throw directoryHardlinks();
      seen.add(entry.inode.nid);
      if (levels.length >= MAX_TREE_DEPTH) throw depthExceeded();
      levels.push(this.#reader.children({ path: [...parent.path, name], entry }));
    }
  }

  /** The content of a file. Zeros for a sparse one, which has a size and no content. */
  async readFile(
    path: ImagePath,
    options?: ReadFileOptions & { readonly encoding?: null | undefined },
  ): Promise<Buffer>;
  async readFile(
    path: ImagePath,
    options: BufferEncoding | (ReadFileOptions & { readonly encoding: BufferEncoding }),
  ): Promise<string>;
  async readFile(path: ImagePath, options: BufferEncoding | ReadFileOptions = {}): Promise<string | Buffer> {
    const { encoding, limit = MAX_WHOLE_FILE, signal } = typeof options === 'string' ? { encoding: options } : options;
    const { entry } = this.#file(path, 'open');
    if (entry.size > limit) {
      const name = byteStringToText(bytesOf(path));
      throw new ComposefsError('FILE_TOO_LARGE', `'${name}' has ${entry.size} bytes, more than ${limit}`);
    }
    let content = Buffer.alloc(0);
    let length = 0;
    for await (const chunk of this.#chunks(entry, 0, entry.size)) {
      signal?.throwIfAborted();
      // Not before it is known that there is so much to read.
      if (length === 0) content = Buffer.allocUnsafeSlow(entry.size);
      length += chunk.copy(content, length);
    }
    return encoding === undefined || encoding === null ? content : content.toString(encoding);
  }

  /** The content of a file, or a part of it. What is wrong with the path is an `error` event, as of `node:fs`. */
  createReadStream(path: ImagePath, options: ReadStreamOptions = {}): Readable {
    const { start = 0, end = Number.POSITIVE_INFINITY, signal } = options;
    const content = async function* (files: ImageFileSystem): AsyncGenerator<Buffer> {
      const { entry } = files.#file(path, 'open');
      yield* files.#chunks(entry, start, Math.min(end + 1, entry.size));
    };
    return Readable.from(content(this), { objectMode: false, signal });
  }

  /**
   * Writes what is at `path`, a file or a directory with all that is in it, to `destination`, which must not exist:
   * types, content, modes, times, hard links, and owners and xattrs as far as this user may. A symlink at the end is
   * written as such. It gets its name when it is complete.
   *
   * @throws ComposefsError `EEXIST`
   */
  async extract(path: ImagePath, destination: string, options: ExtractOptions = {}): Promise<ExtractResult> {
    const found = this.#find(path, false, 'open');
    return await extract(this.#reader, (entry) => this.#chunks(entry, 0, entry.size), found, destination, options);
  }

  async *#chunks(entry: ImageEntry, start: number, end: number): AsyncGenerator<Buffer> {
    if (entry.object !== undefined) {
      yield* this.#content.read(entry.object, entry.size, start, end);
      return;
    }
    for (let position = start; position < end; position += CHUNK_SIZE) {
      yield this.#reader.inlineContent(entry, position, Math.min(CHUNK_SIZE, end - position));
    }
  }

  #find(path: ImagePath, followLast: boolean, call: string): Found {
    return this.#reader.find(bytesOf(path), followLast, call);
  }

  #directory(path: ImagePath): Found {
    const found = this.#find(path, true, 'scandir');
    if (!isDirectory(found.entry)) throw new FileError('ENOTDIR', 'scandir', bytesOf(path));
    return found;
  }

  #file(path: ImagePath, call: string): Found {
    const found = this.#find(path, true, call);
    if (isDirectory(found.entry)) throw new FileError('EISDIR', call, bytesOf(path));
    if (!isFile(found.entry)) throw new FileError('EINVAL', call, bytesOf(path));
    return found;
  }
}

function direntOf({ parent, name, entry }: Child): ImageDirent {
  return new ImageDirent(parent.path, name, entry);
}

function bytesOf(path: ImagePath): ByteString {
  return typeof path === 'string' ? byteStringFromText(path) : byteStringFrom(path);
}
