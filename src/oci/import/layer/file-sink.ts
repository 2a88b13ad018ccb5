import { quoteBytes } from '../../../bytes/byte-string.js';
import { computeVerity } from '../../../composefs/fsverity/index.js';
import type { FileState, ImportContext } from '../../../composefs/repository/objects/import-file.js';
import type { ObjectStore } from '../../../composefs/repository/objects/object-store.js';
import { withContext } from '../../../errors.js';
import type { ContentWriter, ObjectSink, SourceFile, StoredContent } from './object-queue.js';

/** Stores objects that are files already as files: by a reflink, a hard link or a copy, whichever is the cheapest. */
export class FileSink implements ObjectSink {
  readonly #objects: ObjectStore;
  readonly #context: ImportContext;

  constructor(objects: ObjectStore, context: ImportContext) {
    this.#objects = objects;
    this.#context = context;
  }

  storeObject(data: Buffer, file?: SourceFile): StoredContent {
    // Only a tar that is not that of its tar-split has content that is no file.
    if (file === undefined) return this.#objects.storeObject(data);
    return this.storeFile(file, computeVerity(this.#objects.algorithm, data), data.length, data);
  }

  /** @param data the content, unless it is large. */
  storeFile(file: SourceFile, id: StoredContent['id'], size: number, data?: Buffer): StoredContent {
    const content = { id, data, before: file.stat };
    return withContext(
      () => `Failed to store object for ${quoteBytes(file.name)}`,
      () => this.#objects.ensureObjectFromFile(file.fd, size, this.#context, content),
    );
  }

  createWriter(): ContentWriter {
    return this.#objects.createWriter();
  }
}

/** A file as another thread gets it: descriptors are the same there, and of a `Stats` only the fields arrive. */
export function transferableFile({ fd, name, stat }: SourceFile): SourceFile {
  const { dev, uid, mode, size, ctimeNs, mtimeNs } = stat;
  return { fd, name, stat: { dev, uid, mode, size, ctimeNs, mtimeNs } satisfies FileState };
}
