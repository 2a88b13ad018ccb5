import type { BigIntStats } from 'node:fs';
import { computeVerity, FsVerityHasher } from '../../composefs/fsverity/index.js';
import type { ImportContext } from '../../composefs/repository/objects/import-file.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import { ComposefsError, withContext } from '../../errors.js';
import type { ContentWriter, ObjectQueue, StoredContent, WhenStored } from './object-queue.js';

/** A file whose content is on its way through the splitter. */
interface SourceFile {
  readonly fd: number;
  readonly size: number;
  readonly stat: BigIntStats;
  /** For messages. */
  readonly name: string;
}

/**
 * The objects of a layer whose files are there already, in a store of containers/storage: what comes as content is that of
 * a file that is open meanwhile, which becomes the object by the cheapest way there is. All of it happens at once.
 */
export class FileQueue implements ObjectQueue {
  readonly #objects: ObjectStore;
  readonly #context: ImportContext;
  #source: SourceFile | undefined;

  constructor(objects: ObjectStore, context: ImportContext) {
    this.#objects = objects;
    this.#context = context;
  }

  /** Names the file whose content comes next. */
  beginFile(file: SourceFile): void {
    this.#source = file;
  }

  /** The file is about to be closed. */
  endFile(): void {
    this.#source = undefined;
  }

  queueObject(data: Buffer, stored: WhenStored): void {
    stored(this.#store(computeVerity(this.#objects.algorithm, data), data.length, data));
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
      finish: () => this.#store(hasher.digest(), size, undefined),
      abort: () => undefined,
    };
  }

  #store(id: StoredContent['id'], size: number, data: Buffer | undefined): StoredContent {
    const source = this.#source;
    if (source !== undefined && source.size === size) {
      const content = { id, data, before: source.stat };
      return withContext(
        () => `Failed to store object for ${source.name}`,
        () => this.#objects.ensureObjectFromFile(source.fd, size, this.#context, content),
      );
    }
    // Only a tar that is not that of its tar-split has content that is no file.
    if (data === undefined) throw new ComposefsError('LAYER_NOT_REBUILDABLE', 'content that is no file of the layer');
    return this.#objects.storeObject(data);
  }
}
