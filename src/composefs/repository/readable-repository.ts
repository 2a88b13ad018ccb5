import { availableParallelism } from 'node:os';
import { ComposefsError } from '../../errors.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import { type FormatConfig, type FormatVersion, formatConfigSingle } from '../erofs/format/constants.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { SplitStreamReader } from '../splitstream/reader.js';
import type { Directory } from '../tree/inode.js';
import type { RepositoryRoot } from './directory/root.js';
import type { FsckResult } from './fsck/fsck-result.js';
import type { RepositoryLock } from './lock/lock.js';
import { effectiveFormats, quoteList, type RepositoryMetadata } from './metadata/metadata.js';
import { hasImage, type OpenImage, openImage } from './names/open-image.js';
import { catStream, findStream, hasNamedStream, type OpenStreamOptions, openStream } from './names/open-stream.js';
import { listRefs, type RefEntry } from './names/refs.js';
import type { RepositoryHost } from './objects/host.js';
import { OBJECTS } from './objects/object-directory.js';
import { ObjectStore, type ObjectStoreOptions } from './objects/object-store.js';
import { type OpenDirectory, type OpenOptions, openDirectory } from './open.js';

/** What a check of a repository looks at. */
export interface FsckOptions extends LongCallOptions {
  /** Leave out the content of the objects, which takes most of the time. */
  readonly metadataOnly?: boolean | undefined;
  /**
   * Let this thread be one of the threads, several milliseconds at a time: for programs that have nothing else to do
   * meanwhile. It saves the start of a thread, and a small repository needs no other one. Default false.
   */
  readonly ownThread?: boolean | undefined;
}

/** What takes long is loaded when it is asked for: a command that mounts needs none of it. */
const loadCalls = () => import('./long-calls.js');

/**
 * An open composefs repository as those see it who only read: mounting and listing. It holds the shared lock, which
 * keeps other processes from collecting garbage, until it is closed. Every call then fails with a
 * RepositoryClosedError, and so does all that is given the repository; properties keep their values.
 *
 * A class of its own so that a command that mounts does not load all that can store.
 */
export class ReadableRepository implements RepositoryHost {
  /** @internal The open directory, and the way to what is in it. */
  readonly root: RepositoryRoot;
  readonly metadata: RepositoryMetadata;
  /** @internal */
  protected readonly lock: RepositoryLock;
  #objects: ObjectStore;
  #erofsVersion: FormatVersion | undefined;
  #writeConcurrency: number = availableParallelism();
  readonly #closed: Promise<void>;
  #onClosed: () => void = () => undefined;

  /** {@link open} makes them. */
  protected constructor(directory: never);
  /** @internal */
  protected constructor(directory: OpenDirectory);
  protected constructor(directory: OpenDirectory) {
    this.root = directory.root;
    this.#closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.metadata = directory.metadata;
    this.lock = directory.lock;
    const { access } = directory;
    const options: ObjectStoreOptions = {
      root: directory.root.reference,
      algorithm: directory.metadata.algorithm,
      insecure: directory.insecure,
      ...(access.mode === 'read-only' && { readOnlyFeatures: quoteList(access.unknownFeatures) }),
    };
    this.#objects = new ObjectStore(options, directory.root);
  }

  /**
   * Opens an existing repository; waits while another process collects garbage in it.
   *
   * @throws RepositoryOpenError
   */
  static async open(path: string, options: OpenOptions = {}): Promise<ReadableRepository> {
    return new ReadableRepository(await openDirectory(path, options));
  }

  /** Absolute. */
  get path(): string {
    return this.root.path;
  }

  /** The descriptor of the open directory. @throws RepositoryClosedError */
  get fd(): number {
    return this.root.fd;
  }

  /** The algorithm of the digests of objects and images. */
  get algorithm(): HashAlgorithm {
    return this.metadata.algorithm;
  }

  /** True: missing fs-verity is tolerated (spec 10 §9). */
  get insecure(): boolean {
    return this.#objects.insecure;
  }

  /** Tolerates missing fs-verity from now on, in this instance. There is no way back. */
  setInsecure(): void {
    this.root.requireOpen();
    this.#objects = new ObjectStore({ ...this.#objects.options, insecure: true }, this.root);
  }

  /** @throws ComposefsError `VERITY_REQUIRED` in insecure mode. */
  requireVerity(): void {
    this.root.requireOpen();
    if (!this.insecure) return;
    throw new ComposefsError('VERITY_REQUIRED', 'repository was not initialized with fs-verity', {
      hint: 're-create with `cfsctl init` on a verity-capable filesystem',
    });
  }

  /** The objects. */
  get objects(): ObjectStore {
    return this.#objects;
  }

  /** In which formats images are made. */
  formatConfig(): FormatConfig {
    this.root.requireOpen();
    return this.#formats();
  }

  /** The default of {@link formatConfig}. */
  get erofsVersion(): FormatVersion {
    return this.#formats().default;
  }

  /** Makes images in this format only, in this instance; `meta.json` stays as it is. */
  setErofsVersion(version: FormatVersion): void {
    this.root.requireOpen();
    this.#erofsVersion = version;
  }

  /**
   * Runs something that stores objects in several steps or in worker threads: `gc` of this instance waits for
   * it, and it waits for that. Do not call `gc` inside.
   */
  hold<T>(action: () => Promise<T> | T): Promise<T> {
    return this.lock.share(action);
  }

  /** Runs something that only reads: the repository is not closed before its end. */
  use<T>(action: () => Promise<T>): Promise<T> {
    return this.lock.use(action);
  }

  /** The object of a stream; undefined if there is no such stream. */
  hasStream(contentIdentifier: string): ObjectId | undefined {
    return findStream(this, contentIdentifier);
  }

  /** Whether there is a reference `streams/refs/<ref>`, dangling or not. */
  hasNamedStream(ref: string): boolean {
    return hasNamedStream(this, ref);
  }

  /** By object if `id` is given, else by name and unverified. The caller closes the reader. */
  openStream(name: string, options: OpenStreamOptions = {}): SplitStreamReader {
    return openStream(this, name, options);
  }

  /** The reconstructed content of a stream. */
  mergeSplitstream(name: string, options: OpenStreamOptions = {}): Generator<Buffer> {
    return catStream(this, name, options);
  }

  /** Whether an image of that digest is listed. */
  hasImage(id: ObjectId): boolean {
    return hasImage(this, id);
  }

  /** @throws ImageNotFoundError */
  openImage(name: string): OpenImage {
    return openImage(this, name);
  }

  /** An `O_PATH` descriptor of `objects/`, for mounting; the caller closes it. */
  openObjectsDirectory(): number {
    return this.root.openDirectory(OBJECTS);
  }

  /** References below `streams/refs/<prefix>`, by name. */
  listStreamRefs(prefix = ''): RefEntry[] {
    return listRefs(this, 'streams', prefix);
  }

  /** References below `images/refs/<prefix>`, by name. */
  listImageRefs(prefix = ''): RefEntry[] {
    return listRefs(this, 'images', prefix);
  }

  /** The objects that an image needs, without itself, found by a thread. @throws ImageNotFoundError */
  objectsForImage(name: string, options: LongCallOptions = {}): Promise<Set<ObjectId>> {
    return this.lock.use(async () => (await loadCalls()).runObjectSearch(this.objects.options, name, options));
  }

  /** The tree that an image was made of. @throws ImageNotFoundError; ErofsReaderError */
  readImageTree(name: string, options: Pick<LongCallOptions, 'signal'> = {}): Promise<Directory> {
    return this.lock.use(async () => (await loadCalls()).readImageTree(this, name, options));
  }

  /** Checks everything (spec 10 §18). Changes nothing. */
  fsck({ metadataOnly = false, threads = this.#writeConcurrency, ...options }: FsckOptions = {}): Promise<FsckResult> {
    return this.lock.use(async () => (await loadCalls()).runFsck(this, { metadataOnly }, { ...options, threads }));
  }

  /** How many threads may check or store objects at once. */
  get writeConcurrency(): number {
    return this.#writeConcurrency;
  }

  /** Sets {@link writeConcurrency} in this instance. @throws RangeError unless it is a whole number from 1. */
  setWriteConcurrency(count: number): void {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`not a number of threads: ${count}`);
    this.root.requireOpen();
    this.#writeConcurrency = count;
  }

  /**
   * Gives up the lock and closes the directory. Does nothing a second time.
   *
   * Nothing new can be begun from now on. What runs (a pull, a check, a collection, {@link hold}) goes on to its end,
   * and the lock is held until then: to refuse would leave a repository open that is closed in a `finally`, and to take
   * the lock away from what runs would let another process delete what it has stored. `await using` waits for that.
   */
  close(): void {
    if (!this.root.beginClose()) return;
    this.lock.whenIdle(() => {
      this.lock.release();
      this.root.close();
      this.#onClosed();
    });
  }

  /** {@link close}, at the end of a `using` block. `await using` waits for what still runs. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link close}; returns when nothing runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#closed;
  }

  #formats(): FormatConfig {
    return this.#erofsVersion === undefined ? effectiveFormats(this.metadata) : formatConfigSingle(this.#erofsVersion);
  }
}
