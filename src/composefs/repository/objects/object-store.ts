import { closeSync, readSync, rmSync } from 'node:fs';
import { ComposefsError, withContext } from '../../../errors.js';
import { closeOnError, IO_BUFFER_SIZE, isErrno, readChunks, readFully, withFd, writeFully } from '../../../fs/files.js';
import { OBJECT_TEMP_PREFIX } from '../../../fs/random-name.js';
import { type StagedFile, StagingArea } from '../../../fs/staged-file.js';
import { syncFileSystem, whenFileSystemSynced } from '../../../fs/sync-file-system.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import { computeVerity, verityOfFdSteps } from '../../fsverity/digest.js';
import { FsVerityHasher } from '../../fsverity/hasher.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import { RepositoryRoot, type RootReference } from '../directory/root.js';
import { collectingError, ensureWritable, readOnlyFeaturesError } from '../directory/writable.js';
import { type ImportContext, importFile, type KnownContent } from './import-file.js';
import { OBJECTS, ObjectDirectory, pathOf } from './object-directory.js';
import { ObjectVerity } from './object-verity.js';
import { ObjectWriter } from './object-writer.js';
import type { StoredObject } from './stored-object.js';
import { UnnamedObjects } from './unnamed-objects.js';

/** What is read whole are manifests and configs: the largest that a pull takes. */
const MAX_WHOLE_OBJECT: number = 64 * 1024 * 1024;

/** Plain data: an {@link ObjectStore} of the same objects can be made from it in another thread. */
export interface ObjectStoreOptions {
  readonly root: RootReference;
  readonly algorithm: HashAlgorithm;
  /** True: missing fs-verity is tolerated (spec 10 §9). */
  readonly insecure: boolean;
  /** The unknown features that forbid writing, if there are such. */
  readonly readOnlyFeatures?: string;
  /** For tests: write as on a file system without anonymous temporary files. */
  readonly forceNamedTempFiles?: boolean;
}

/**
 * The content-addressed files of a repository: `objects/xx/yyyy…` (spec 10 §6, §9, §10).
 *
 * Any number of stores, threads and processes may write at once: an object appears complete or not at all, and the
 * first one wins. Nothing is synced: call {@link Repository.sync} before a name is given to what was stored. The
 * caller holds the lock of the repository meanwhile, normally by having it open.
 */
export class ObjectStore {
  /** @internal */
  readonly options: ObjectStoreOptions;
  /** @internal */
  readonly root: RepositoryRoot;
  /** @internal */
  readonly verity: ObjectVerity;
  /** @internal */
  readonly staging: StagingArea;
  /** @internal */
  readonly directory: ObjectDirectory;
  #writable = false;
  #suspended = false;
  #unnamed: UnnamedObjects | undefined;
  /** Through which files are read. */
  #buffer: Buffer | undefined;

  /** @internal @param root default: from the options, as another thread has to do it. */
  constructor(options: ObjectStoreOptions, root: RepositoryRoot = new RepositoryRoot(options.root)) {
    this.options = options;
    this.root = root;
    this.verity = new ObjectVerity(options.algorithm, options.insecure, root);
    this.directory = new ObjectDirectory(root, options.algorithm);
    this.staging = new StagingArea(
      (action) => this.directory.within(action),
      OBJECT_TEMP_PREFIX,
      options.forceNamedTempFiles,
    );
  }

  /** The algorithm of the digests that name the objects. */
  get algorithm(): HashAlgorithm {
    return this.options.algorithm;
  }

  /** True: missing fs-verity is tolerated (spec 10 §9). */
  get insecure(): boolean {
    return this.options.insecure;
  }

  /** For messages. */
  get objectsPath(): string {
    return this.root.nameOf(OBJECTS);
  }

  /** Where the object lies, or would lie; for messages. */
  path(id: ObjectId): string {
    return this.root.nameOf(pathOf(id));
  }

  /** Whether a file of that name is there; its content is not looked at. */
  has(id: ObjectId): boolean {
    return this.directory.has(id);
  }

  /**
   * Opens an object for reading, verified as far as the mode demands (spec 10 §9).
   *
   * @returns a descriptor that the caller closes.
   * @throws ENOENT if it is not there, CompareVerityError if the kernel measures something else.
   */
  openObject(id: ObjectId): number {
    const fd = this.root.openFile(pathOf(id));
    return closeOnError(fd, () => {
      this.#vouchesFor(fd, id);
      return fd;
    });
  }

  /**
   * {@link openObject} for what everything else hangs on, streams and images: where the kernel does not vouch for the
   * content, it is hashed.
   *
   * @param atFirstSight throws at what need not be hashed to tell that it is wrong.
   * @throws ComposefsError `DIGEST_MISMATCH`
   */
  openIntact(id: ObjectId, atFirstSight?: (fd: number) => void): number {
    return runSteps(this.openIntactSteps(id, atFirstSight));
  }

  /** @internal {@link openIntact}. */
  *openIntactSteps(id: ObjectId, atFirstSight: (fd: number) => void = () => undefined): Steps<number> {
    const fd = this.root.openFile(pathOf(id));
    let isRight = false;
    try {
      atFirstSight(fd);
      isRight = this.#vouchesFor(fd, id) || (yield* verityOfFdSteps(this.algorithm, fd)) === id;
      if (!isRight) throw otherContent(id);
      return fd;
    } finally {
      if (!isRight) closeSync(fd);
    }
  }

  /** Whether {@link openIntact} succeeds. */
  isIntact(id: ObjectId): boolean {
    return runSteps(this.isIntactSteps(id));
  }

  /** @internal {@link isIntact}. */
  *isIntactSteps(id: ObjectId): Steps<boolean> {
    try {
      closeSync(yield* this.openIntactSteps(id));
      return true;
    } catch {
      return false;
    }
  }

  /** @internal Opens an object whatever its content is; undefined if there is none. */
  openUnverified(id: ObjectId): number | undefined {
    return this.root.openFileIfExists(pathOf(id));
  }

  /**
   * The whole object.
   *
   * @param limit in bytes; a larger object is `FILE_TOO_LARGE`, before anything is read.
   */
  readObject(id: ObjectId, limit: number = MAX_WHOLE_OBJECT): Buffer {
    return withFd(this.openObject(id), (fd) => readFully(fd, limit));
  }

  /** The object in pieces of up to 1 MiB. */
  *readObjectChunks(id: ObjectId): Generator<Buffer> {
    const fd = this.openObject(id);
    try {
      yield* readChunks(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * {@link readObjectChunks}, comparing the content with the id on the way where the kernel does not vouch for it.
   *
   * @throws ComposefsError `DIGEST_MISMATCH` after the last piece.
   */
  *readIntactChunks(id: ObjectId): Generator<Buffer> {
    const fd = this.root.openFile(pathOf(id));
    try {
      const hasher = this.#vouchesFor(fd, id) ? undefined : new FsVerityHasher(this.algorithm);
      for (const chunk of readChunks(fd)) {
        hasher?.update(chunk);
        yield chunk;
      }
      if (hasher !== undefined && hasher.digest() !== id) throw otherContent(id);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Fails unless the repository can be written (spec 10 §10.1). Asked once: whoever may write a first object may
   * write the others.
   *
   * @throws NotWritableError
   */
  ensureWritable(): void {
    this.root.requireOpen();
    if (this.#suspended) throw collectingError();
    if (this.#writable) return;
    if (this.options.readOnlyFeatures !== undefined) throw readOnlyFeaturesError(this.options.readOnlyFeatures);
    ensureWritable(this.root);
    this.#writable = true;
  }

  /**
   * @internal
   * While garbage is collected, writing fails: what would be stored could be deleted before it gets a name.
   */
  suspendWriting(suspended: boolean): void {
    this.#suspended = suspended;
  }

  /** Stores `data` unless it is there already (spec 10 §10.2). */
  ensureObject(data: Uint8Array): ObjectId {
    return this.storeObject(data).id;
  }

  /** {@link ensureObject}, telling whether the data was new. */
  storeObject(data: Uint8Array): StoredObject {
    this.ensureWritable();
    return this.storeHashed(computeVerity(this.algorithm, data), data);
  }

  /** @internal {@link storeObject} of data that the caller has hashed. */
  storeHashed(id: ObjectId, data: Uint8Array): StoredObject {
    this.ensureWritable();
    const size = data.length;
    if (this.hasSize(id, size) && this.#checkPresent(id)) return { id, size, method: 'already-present' };

    const file = this.stage(0o644);
    try {
      writeFully(file.fd, data);
      this.seal(file, id);
      return { id, size, method: this.place(file, id, size) ? 'copied' : 'already-present' };
    } finally {
      file.discard();
    }
  }

  /**
   * @internal
   * Stores what everything else hangs on, a stream or an image: what is there already is hashed, where the kernel does
   * not vouch for it, and replaced if it is not right. These objects may have got their names before their data was on
   * disk, and a power cut then leaves a file that may have the right size, but is full of zeros.
   *
   * @param store stores the object; called again to replace one.
   */
  ensureIntact(store: () => StoredObject): ObjectId {
    const stored = store();
    return this.isIntactOrRemoved(stored) ? stored.id : store().id;
  }

  /** @internal {@link ensureIntact} in its steps: whether what was stored is right. Else it is gone, to be stored again. */
  isIntactOrRemoved({ id, method }: StoredObject): boolean {
    if (method !== 'already-present' || this.awaitsName(id) || this.isIntact(id)) return true;
    this.directory.nameObject(id, (path) => rmSync(path, { force: true }));
    return false;
  }

  /** @internal A writer for content that comes in pieces. */
  createWriter(): ObjectWriter {
    this.ensureWritable();
    return new ObjectWriter(this);
  }

  /**
   * Stores content that comes in pieces (spec 10 §10.6).
   *
   * @param expectedSize in bytes; another size is `SIZE_MISMATCH`.
   */
  ensureObjectFromChunks(chunks: Iterable<Uint8Array>, expectedSize?: number): StoredObject {
    return runSteps(this.#storeChunksSteps(chunks, expectedSize));
  }

  /**
   * Stores the content of an open regular file, from its beginning.
   *
   * @param size what the caller takes the file's size to be; another size is `SIZE_MISMATCH`.
   */
  ensureObjectFromFd(fd: number, size: number): ObjectId {
    return runSteps(this.ensureObjectFromFdSteps(fd, size));
  }

  /** @internal {@link ensureObjectFromFd}. */
  *ensureObjectFromFdSteps(fd: number, size: number): Steps<ObjectId> {
    // A buffer for each file made garbage collection take more time than to hash and store what was in them. Nobody else has
    // it meanwhile.
    const buffer = this.#buffer ?? Buffer.allocUnsafeSlow(IO_BUFFER_SIZE);
    this.#buffer = undefined;
    try {
      // What one call does not read takes more of them, and ends where the file does.
      if (size < buffer.length && readSync(fd, buffer, 0, size + 1, 0) === size) {
        return this.storeObject(buffer.subarray(0, size)).id;
      }
      return (yield* this.#storeChunksSteps(readChunks(fd, buffer), size)).id;
    } finally {
      this.#buffer = buffer;
    }
  }

  *#storeChunksSteps(chunks: Iterable<Uint8Array>, size?: number): Steps<StoredObject> {
    const writer = this.createWriter();
    try {
      for (const chunk of chunks) {
        writer.write(chunk);
        yield;
      }
      return writer.finish(size);
    } finally {
      writer.abort();
    }
  }

  /**
   * @internal
   * Stores an open regular file by the cheapest way there is: reflink, hard link, copy (spec 10 §10.7).
   *
   * @param context shared by all files of one import.
   * @param content what the caller has read of it: the file is not read again where that is not needed.
   */
  ensureObjectFromFile(fd: number, size: number, context: ImportContext, content?: KnownContent): StoredObject {
    this.ensureWritable();
    return importFile(this, fd, size, context, content);
  }

  /**
   * True if the object is in place with this size: all that a caller with a finished file asks (spec 10 §10.5). A file
   * of another size is what a power cut leaves: it has the name of the object, and none or a part of its data.
   */
  hasSize(id: ObjectId, size: number): boolean {
    return this.awaitsName(id) || this.sizeOf(id) === size;
  }

  /** @internal Whether {@link nameObjects} is to name it. */
  awaitsName(id: ObjectId): boolean {
    return this.#unnamed?.has(id) === true;
  }

  /** The size of the file of that name in bytes; undefined if there is no such file. */
  sizeOf(id: ObjectId): number | undefined {
    return this.directory.sizeOf(id);
  }

  /** @internal Enables verity on a complete staged file and requires that the kernel measures `id`. */
  seal(file: StagedFile, id: ObjectId): void {
    if (this.verity.unavailable) return;
    const enabled = withContext('Enabling verity on tmpfile', () => this.enableVerity(file));
    if (enabled) withContext('Double-checking verity digest of tmpfile', () => this.verity.check(file.fd, id));
  }

  /** @internal As {@link ObjectVerity.enable}; a copy, if it takes one, lies in `objects/`. */
  enableVerity(file: StagedFile): boolean {
    return this.directory.within((directory) => this.verity.enable(file, directory));
  }

  /**
   * @internal
   * Gives a staged file the name of the object. A file of the same size is left as it is, one of another size is
   * replaced.
   *
   * @param size of the staged file, in bytes.
   * @returns false if somebody else was faster.
   */
  place(file: StagedFile, id: ObjectId, size: number): boolean {
    // Enabling verity has written the data out.
    if (this.#unnamed === undefined || !this.verity.unavailable) return this.#giveName(file, id, size);
    if (this.#unnamed.isFull) this.nameObjects();
    this.#unnamed.add(id, { file: file.handOver(), size });
    return true;
  }

  #giveName(file: StagedFile, id: ObjectId, size: number): boolean {
    if (this.directory.nameObject(id, (path) => file.place(path))) return true;
    const replaced = !this.hasSize(id, size);
    if (replaced) this.directory.nameObject(id, (path) => file.replace(path, this.staging));
    file.discard();
    return replaced;
  }

  /**
   * @internal
   * From now on objects get their names many at a time, after their data is on disk: {@link nameObjects} names the last.
   * Until then this store alone knows of them. For threads that store much: their directories stay open, too.
   */
  deferNames(limit?: number): void {
    this.directory.keepOpen();
    this.#unnamed = new UnnamedObjects(this.root.fd, limit);
  }

  /**
   * @internal
   * Names what {@link deferNames} has put off.
   *
   * @param options.areSynced the caller has brought it to disk.
   * @returns whether there was anything.
   */
  nameObjects({ areSynced = false }: { readonly areSynced?: boolean } = {}): boolean {
    const objects = this.#unnamed?.take() ?? [];
    try {
      if (objects.length > 0 && !areSynced) this.sync();
      for (const [id, { file, size }] of objects) this.#giveName(file, id, size);
      return objects.length > 0;
    } finally {
      for (const [, { file }] of objects) file.discard();
    }
  }

  /** @internal Brings everything stored so far to disk (spec 10 §15). */
  sync(): void {
    syncFileSystem(this.root.fd, this.root.path);
  }

  /** @internal {@link sync} for a thread that others wait for. */
  async whenSynced(): Promise<void> {
    await whenFileSystemSynced(this.root.fd, this.root.path);
  }

  /**
   * @internal
   * Runs something whose objects are dropped, as far as they have no names, if it fails. Nothing else stores meanwhile.
   */
  async allOrNone<T>(action: () => Promise<T>): Promise<T> {
    const before = this.#unnamed?.count ?? 0;
    try {
      return await action();
    } catch (error) {
      for (const [, { file }] of this.#unnamed?.takeSince(before) ?? []) file.discard();
      throw error;
    }
  }

  /** @internal Ends what {@link deferNames} has begun, and drops what has got no name. */
  dropUnnamed(): void {
    this.directory.close();
    for (const [, { file }] of this.#unnamed?.take() ?? []) file.discard();
  }

  /**
   * @internal
   * A staged file in `objects/`, which is made if need be. Not in `objects/xx`: ext4 gives each directory its own part
   * of the disk and puts new files near it, so they would be spread over 256 places.
   */
  stage(mode: number): StagedFile {
    try {
      return this.staging.create(mode);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      this.directory.make();
      return this.staging.create(mode);
    }
  }

  /** True if the kernel compares what is read with the id; false where the mode allows that it does not. */
  #vouchesFor(fd: number, id: ObjectId): boolean {
    return withContext('Verifying file verity digest', () => this.verity.check(fd, id)) === 'verified';
  }

  /** True if the object is there and as good as the mode demands; false if it vanished meanwhile. */
  #checkPresent(id: ObjectId): boolean {
    if (this.verity.unavailable) return true;
    const fd = this.openUnverified(id);
    if (fd === undefined) return false;
    return withFd(fd, () =>
      withContext('Verifying existing object integrity', () => {
        if (this.verity.check(fd, id) === 'missing') {
          this.directory.within((directory) => this.verity.adopt(fd, id, directory));
        }
        return true;
      }),
    );
  }
}

function otherContent(id: ObjectId): ComposefsError {
  return new ComposefsError('DIGEST_MISMATCH', `object ${id} has another content than its name says`);
}
