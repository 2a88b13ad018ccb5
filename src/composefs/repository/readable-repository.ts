import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError } from '../../errors.js';
import { type FormatConfig, type FormatVersion, formatConfigSingle } from '../erofs/format.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { SplitStreamReader } from '../splitstream/reader.js';
import type { RepositoryHost } from './host.js';
import type { RepositoryLock } from './lock.js';
import { effectiveFormats, quoteList, type RepositoryMetadata } from './metadata.js';
import { ObjectStore, type ObjectStoreOptions } from './object-store.js';
import { type OpenDirectory, type OpenOptions, openDirectory } from './open.js';
import { hasImage, type OpenImage, openImage } from './open-image.js';
import { catStream, findStream, hasNamedStream, openStream } from './open-stream.js';
import { listRefs, type RefEntry } from './refs.js';

/**
 * An open composefs repository as those see it who only read: mounting and listing. It holds the shared lock, which
 * keeps other processes from collecting garbage, until it is closed.
 *
 * A class of its own so that a command that mounts does not load all that can store.
 */
export class ReadableRepository implements RepositoryHost {
  /** Absolute. */
  readonly path: string;
  /** The open directory. */
  readonly fd: number;
  readonly metadata: RepositoryMetadata;
  protected readonly lock: RepositoryLock;
  #objects: ObjectStore;
  #erofsVersion: FormatVersion | undefined;
  #closed = false;

  protected constructor(directory: OpenDirectory) {
    this.path = directory.path;
    this.fd = directory.fd;
    this.metadata = directory.metadata;
    this.lock = directory.lock;
    const { access } = directory;
    this.#objects = new ObjectStore({
      objectsPath: join(directory.path, 'objects'),
      algorithm: directory.metadata.algorithm,
      insecure: directory.insecure,
      ...(access.mode === 'read-only' && { readOnlyFeatures: quoteList(access.unknownFeatures) }),
    });
  }

  /**
   * Opens an existing repository; waits while another process collects garbage in it.
   *
   * @throws RepositoryOpenError
   */
  static async open(path: string, options: OpenOptions = {}): Promise<ReadableRepository> {
    return new ReadableRepository(await openDirectory(path, options));
  }

  get algorithm(): HashAlgorithm {
    return this.metadata.algorithm;
  }

  /** True: missing fs-verity is tolerated (spec 10 §9). */
  get insecure(): boolean {
    return this.#objects.insecure;
  }

  /** Tolerates missing fs-verity from now on, in this instance. There is no way back. */
  setInsecure(): void {
    this.#objects = new ObjectStore({ ...this.#objects.options, insecure: true });
  }

  /** @throws ComposefsError `VERITY_REQUIRED` in insecure mode. */
  requireVerity(): void {
    if (!this.insecure) return;
    throw new ComposefsError('VERITY_REQUIRED', 'repository was not initialized with fs-verity', {
      hint: 're-create with `cfsctl init` on a verity-capable filesystem',
    });
  }

  /** The objects. For a worker thread: `new ObjectStore(repo.objects.options)`, inside of {@link hold}. */
  get objects(): ObjectStore {
    return this.#objects;
  }

  /** {@link ObjectStore.options}: plain data, to make the same store in another thread. */
  get storeOptions(): ObjectStoreOptions {
    return this.#objects.options;
  }

  /** In which formats images are made. */
  formatConfig(): FormatConfig {
    return this.#erofsVersion === undefined ? effectiveFormats(this.metadata) : formatConfigSingle(this.#erofsVersion);
  }

  /** The default of {@link formatConfig}. */
  get erofsVersion(): FormatVersion {
    return this.formatConfig().default;
  }

  /** Makes images in this format only, in this instance; `meta.json` stays as it is. */
  setErofsVersion(version: FormatVersion): void {
    this.#erofsVersion = version;
  }

  /**
   * Runs something that stores objects in several steps or in worker threads: {@link gc} of this instance waits for
   * it, and it waits for that. Do not call {@link gc} inside.
   */
  hold<T>(action: () => Promise<T> | T): Promise<T> {
    return this.lock.share(action);
  }

  /** The object of a stream; undefined if there is no such stream. */
  hasStream(contentIdentifier: string): ObjectId | undefined {
    return findStream(this, contentIdentifier);
  }

  hasNamedStream(ref: string): boolean {
    return hasNamedStream(this, ref);
  }

  /** By object if `id` is given, else by name and unverified. The caller closes the reader. */
  openStream(name: string, id?: ObjectId, contentType?: bigint): SplitStreamReader {
    return openStream(this, name, id, contentType);
  }

  /** The reconstructed content of a stream. */
  mergeSplitstream(name: string, id?: ObjectId, contentType?: bigint): Generator<Buffer> {
    return catStream(this, name, id, contentType);
  }

  /** Whether an image of that digest is listed. */
  hasImage(id: ObjectId): boolean {
    return hasImage(this, id);
  }

  /** @throws ImageNotFoundError */
  openImage(name: string): OpenImage {
    return openImage(this, name);
  }

  /** References below `streams/refs/<prefix>`, by name. */
  listStreamRefs(prefix = ''): RefEntry[] {
    return listRefs(this, 'streams', prefix);
  }

  /** References below `images/refs/<prefix>`, by name. */
  listImageRefs(prefix = ''): RefEntry[] {
    return listRefs(this, 'images', prefix);
  }

  /** Gives up the lock and closes the directory. Does nothing a second time. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.lock.release();
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
