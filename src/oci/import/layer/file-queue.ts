import { closeSync } from 'node:fs';
import { FsVerityHasher } from '../../../composefs/fsverity/index.js';
import type { ObjectStore } from '../../../composefs/repository/objects/object-store.js';
import { ComposefsError } from '../../../errors.js';
import type { LayerFile } from '../../../storage/index.js';
import type { FileSink } from './file-sink.js';
import type { HelpedQueue } from './helped-queue.js';
import type { ContentWriter, ObjectQueue, StoredContent, WhenStored } from './object-queue.js';

/** A file, and its content where it was read to. */
interface ExpectedFile {
  readonly file: LayerFile;
  readonly content: Buffer;
}

/**
 * The objects of a layer whose files are there already, in a store of containers/storage: what comes as content is that of
 * one of the files that were announced, which becomes the object by the cheapest way there is, here or in a thread that
 * helps.
 */
export class FileQueue implements ObjectQueue {
  readonly #objects: ObjectStore;
  readonly #sink: FileSink;
  readonly #queue: HelpedQueue;
  /** In the order in which their contents come; small ones become no objects. */
  #files: ExpectedFile[] = [];
  #next = 0;
  #large: LayerFile | undefined;

  /** @param queue takes what is small enough to be handed over; its sink is `sink`. */
  constructor(objects: ObjectStore, sink: FileSink, queue: HelpedQueue) {
    this.#objects = objects;
    this.#sink = sink;
    this.#queue = queue;
  }

  /**
   * A file whose content comes after those of the files before, in this very memory. It is this queue's, which closes
   * it.
   */
  expectFile(file: LayerFile, content: Buffer): void {
    this.#files.push({ file, content });
  }

  /** A file whose content comes next, in several pieces. It stays the caller's, and open until it has come. */
  expectLargeFile(file: LayerFile): void {
    this.#large = file;
  }

  /** What was expected has come, as far as it comes. */
  forgetFiles(): void {
    while (this.#next < this.#files.length) this.#pass();
    this.#files = [];
    this.#next = 0;
    this.#large = undefined;
  }

  queueObject(data: Buffer, stored: WhenStored): void {
    this.#queue.queueObject(data, stored, this.#takeFileOf(data));
  }

  queueStored(content: StoredContent, stored: WhenStored): void {
    this.#queue.queueStored(content, stored);
  }

  async drain(): Promise<void> {
    await this.#queue.drain();
  }

  createWriter(): ContentWriter {
    const hasher = new FsVerityHasher(this.#objects.algorithm);
    let size = 0;
    return {
      write: (chunk) => {
        hasher.update(chunk);
        size += chunk.length;
      },
      writeZeros: () => {
        throw new ComposefsError('LAYER_NOT_REBUILDABLE', 'sparse files of a tar cannot be rebuilt');
      },
      finish: () => {
        const file = this.#large;
        if (file?.size === size) return this.#sink.storeFile(file, hasher.digest(), size);
        // Only a tar that is not that of its tar-split has content that is no file.
        throw new ComposefsError('LAYER_NOT_REBUILDABLE', 'content that is no file of the layer');
      },
      abort: () => undefined,
    };
  }

  /** The file of that content, which is the caller's then. */
  #takeFileOf(data: Buffer): LayerFile | undefined {
    for (let expected = this.#files[this.#next]; expected !== undefined; expected = this.#files[this.#next]) {
      const { file, content } = expected;
      if (data.buffer !== content.buffer || data.byteOffset < content.byteOffset) return undefined;
      if (data.byteOffset === content.byteOffset && data.length === content.length) {
        this.#next++;
        return file;
      }
      this.#pass();
    }
    return undefined;
  }

  /** The next file has become no object. */
  #pass(): void {
    const expected = this.#files[this.#next++];
    if (expected !== undefined) closeSync(expected.file.fd);
  }
}
