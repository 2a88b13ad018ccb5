import { quoteBytes } from '../../bytes/byte-string.js';
import { computeVerity, FsVerityHasher } from '../../composefs/fsverity/index.js';
import type { ImportContext } from '../../composefs/repository/objects/import-file.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import { ComposefsError, withContext } from '../../errors.js';
import type { LayerFile } from '../../storage/index.js';
import type { ContentWriter, ObjectQueue, StoredContent, WhenStored } from './object-queue.js';

/** A file, and its content where it was read to. */
interface ExpectedFile {
  readonly file: LayerFile;
  readonly content: Buffer;
}

/**
 * The objects of a layer whose files are there already, in a store of containers/storage: what comes as content is that of
 * one of the files that were announced, which becomes the object by the cheapest way there is. All of it happens at once.
 */
export class FileQueue implements ObjectQueue {
  readonly #objects: ObjectStore;
  readonly #context: ImportContext;
  /** In the order in which their contents come; small ones become no objects. */
  #files: ExpectedFile[] = [];
  #next = 0;
  #large: LayerFile | undefined;

  constructor(objects: ObjectStore, context: ImportContext) {
    this.#objects = objects;
    this.#context = context;
  }

  /** A file whose content comes after those of the files before, in this very memory. It stays open until then. */
  expectFile(file: LayerFile, content: Buffer): void {
    this.#files.push({ file, content });
  }

  /** A file whose content comes next, in several pieces. */
  expectLargeFile(file: LayerFile): void {
    this.#large = file;
  }

  /** The files are about to be closed. */
  forgetFiles(): void {
    this.#files = [];
    this.#next = 0;
    this.#large = undefined;
  }

  queueObject(data: Buffer, stored: WhenStored): void {
    stored(this.#store(computeVerity(this.#objects.algorithm, data), data.length, data, this.#fileOf(data)));
  }

  queueStored(content: StoredContent, stored: WhenStored): void {
    stored(content);
  }

  async drain(): Promise<void> {}

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
      finish: () => this.#store(hasher.digest(), size, undefined, this.#large),
      abort: () => undefined,
    };
  }

  #fileOf(data: Buffer): LayerFile | undefined {
    for (let expected = this.#files[this.#next]; expected !== undefined; expected = this.#files[++this.#next]) {
      const { file, content } = expected;
      if (data.buffer !== content.buffer || data.byteOffset < content.byteOffset) return undefined;
      if (data.byteOffset === content.byteOffset && data.length === content.length) return file;
    }
    return undefined;
  }

  #store(id: StoredContent['id'], size: number, data: Buffer | undefined, file: LayerFile | undefined): StoredContent {
    if (file?.size === size) {
      const content = { id, data, before: file.stat };
      return withContext(
        () => `Failed to store object for ${quoteBytes(file.name)}`,
        () => this.#objects.ensureObjectFromFile(file.fd, size, this.#context, content),
      );
    }
    // Only a tar that is not that of its tar-split has content that is no file.
    if (data === undefined) throw new ComposefsError('LAYER_NOT_REBUILDABLE', 'content that is no file of the layer');
    return this.#objects.storeObject(data);
  }
}
