import { availableParallelism } from 'node:os';
import { loadZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError } from '../../errors.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import type { FormatVersion } from '../erofs/index.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { SplitStreamWriter } from '../splitstream/index.js';
import type { Directory } from '../tree/inode.js';
import { commitImages, commitImageVersion } from './commit.js';
import { RepositoryOpenError } from './directory/open-error.js';
import { withRoot } from './directory/root.js';
import type { FsckResult } from './fsck/fsck.js';
import { runFsck } from './fsck/run-fsck.js';
import { type GcRequest, type GcResult, removeUnreachable } from './gc/gc.js';
import { runGc } from './gc/run-gc.js';
import { initDirectory, makeRepositoryDirectory, type RepositoryConfig } from './init.js';
import { systemPath, userPath } from './location.js';
import { writeMissingMetadata } from './metadata/upgrade.js';
import { linkImages, objectsForImage, readImageTree, registerImages, writeImage } from './names/images.js';
import { linkStreams, nameStream, registerStreams, type StreamNames, storeStream } from './names/streams.js';
import { createSymlink } from './names/symlink.js';
import { hasAllObjects } from './names/whole-stream.js';
import type { SyncingHost } from './objects/host.js';
import { type OpenDirectory, type OpenOptions, openDirectory } from './open.js';
import { ReadableRepository } from './readable-repository.js';

export interface GcOptions extends LongCallOptions, Pick<GcRequest, 'keepNewerThan'> {}

export type EnsureStatus = 'opened' | 'created' | 'upgraded';

/**
 * An open composefs repository (spec 10).
 *
 * Everything short is synchronous. The functions that do the work are in the modules beside this one; this class only
 * binds them to one directory.
 */
export class Repository extends ReadableRepository implements SyncingHost {
  #writeConcurrency: number = availableParallelism();
  /** Whether names were given since the last {@link sync}. */
  #hasNewNames = false;

  private constructor(directory: OpenDirectory) {
    super(directory);
  }

  static override async open(path: string, options: OpenOptions = {}): Promise<Repository> {
    return new Repository(await openDirectory(path, options));
  }

  static openUser(options: OpenOptions = {}): Promise<Repository> {
    return Repository.open(userPath(), options);
  }

  static openSystem(options: OpenOptions = {}): Promise<Repository> {
    return Repository.open(systemPath(), options);
  }

  /** Makes a repository (spec 10 §8.3), or opens the one of the same configuration that is there. */
  static async init(path: string, config: RepositoryConfig = {}): Promise<{ repo: Repository; created: boolean }> {
    const created = initDirectory(path, config);
    // What was there before keeps its mode; what was made just now is known to have no verity.
    const insecure = created && config.insecure === true;
    const { algorithm, allowForeignOwner } = config;
    return { repo: await Repository.open(path, { algorithm, insecure, allowForeignOwner }), created };
  }

  /** Opens a repository; one from before `meta.json` gets that first (spec 10 §8.5). */
  static async openUpgrade(path: string, options: OpenOptions = {}): Promise<{ repo: Repository; upgraded: boolean }> {
    try {
      return { repo: await Repository.open(path, options), upgraded: false };
    } catch (error) {
      if (!isOpenError(error, 'old-format-repository')) throw error;
    }
    withRoot(path, options, (root) => writeMissingMetadata(root, options.algorithm));
    return { repo: await Repository.open(path, options), upgraded: true };
  }

  /** Opens what is there, or makes it (spec 10 §8.6). What is there keeps its configuration. */
  static async ensure(
    path: string,
    config: RepositoryConfig = {},
  ): Promise<{ repo: Repository; status: EnsureStatus }> {
    makeRepositoryDirectory(path);
    const { algorithm, allowForeignOwner } = config;
    const options: OpenOptions = { algorithm, allowForeignOwner };
    try {
      const { repo, upgraded } = await Repository.openUpgrade(path, options);
      return { repo, status: upgraded ? 'upgraded' : 'opened' };
    } catch (error) {
      if (!isOpenError(error, 'metadata-missing')) throw error;
    }
    const { repo, created } = await Repository.init(path, config);
    return { repo, status: created ? 'created' : 'opened' };
  }

  /** `objects/`, made if it is missing. */
  objectsDir(): string {
    return this.#makeDirectory('objects');
  }

  /** `images/`, made if it is missing. */
  imagesDir(): string {
    return this.#makeDirectory('images');
  }

  /** @throws NotWritableError */
  ensureWritable(): void {
    this.objects.ensureWritable();
  }

  /** How many threads may store objects at once. */
  get writeConcurrency(): number {
    return this.#writeConcurrency;
  }

  setWriteConcurrency(count: number): void {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`not a number of threads: ${count}`);
    this.root.requireOpen();
    this.#writeConcurrency = count;
  }

  /** Brings everything stored so far to disk (spec 10 §15). */
  sync(): void {
    syncFileSystem(this.root.fd, this.path);
    this.#hasNewNames = false;
  }

  /** {@link sync}, if names were given to streams or images since. */
  syncNames(): void {
    this.root.requireOpen();
    if (this.#hasNewNames) this.sync();
  }

  /** Spec 10 §11.1: `name` and `target` are relative to the repository. The caller checks them. */
  symlink(name: string, target: string): void {
    this.ensureWritable();
    createSymlink(this.root, name, target);
    this.#hasNewNames = true;
  }

  createStream(contentType: bigint): SplitStreamWriter {
    this.ensureWritable();
    return new SplitStreamWriter(this.algorithm, contentType);
  }

  /** Finishes and stores a stream and gives it its names (spec 10 §12). */
  writeStream(writer: SplitStreamWriter, contentIdentifier: string, ref?: string): Promise<ObjectId> {
    return this.hold(async () => {
      const id = await this.storeStream(writer);
      this.registerStream(id, contentIdentifier, ref);
      return id;
    });
  }

  /** Finishes and stores a stream, which has no name then. Call this inside of {@link hold}. */
  async storeStream(writer: SplitStreamWriter): Promise<ObjectId> {
    const encode = await loadZstdEncode();
    const file = writer.finish(encode);
    try {
      return storeStream(this, file);
    } finally {
      file.dispose();
    }
  }

  /** Names a stream that is an object already. {@link syncNames} makes the names last. */
  registerStream(id: ObjectId, contentIdentifier: string, ref?: string): void {
    this.registerStreams([{ id, contentIdentifier, ref }]);
  }

  /** {@link registerStream} for several at once. */
  registerStreams(streams: readonly StreamNames[]): void {
    registerStreams(this, streams);
    this.#hasNewNames = true;
  }

  /** {@link linkStreams} for images. */
  linkImages(ids: readonly ObjectId[]): void {
    this.ensureWritable();
    linkImages(this, ids);
    this.#hasNewNames = true;
  }

  /**
   * Names streams that are objects already, without a sync: the caller knows of one that has begun after they, and all
   * that they name, had their names as objects. {@link syncNames} makes the names last.
   */
  linkStreams(streams: readonly StreamNames[]): void {
    linkStreams(this, streams);
    this.#hasNewNames = true;
  }

  /** Lists images and names streams that are objects already, in this order, with one sync before. */
  registerNames(images: readonly ObjectId[], streams: readonly StreamNames[]): void {
    registerImages(this, images);
    linkStreams(this, streams);
    this.#hasNewNames = true;
  }

  /**
   * The stream, made by `fill` if there is none, or if it is damaged or lacks objects. In all cases the reference, if
   * given, points to it afterwards.
   */
  async ensureStream(
    contentIdentifier: string,
    contentType: bigint,
    fill: (writer: SplitStreamWriter) => Promise<void> | void,
    ref?: string,
  ): Promise<ObjectId> {
    const existing = this.hasStream(contentIdentifier);
    if (existing !== undefined && hasAllObjects(this, existing, contentType)) {
      if (ref !== undefined) this.nameStream(contentIdentifier, ref);
      return existing;
    }
    return this.hold(async () => {
      const writer = this.createStream(contentType);
      await fill(writer);
      return this.writeStream(writer, contentIdentifier, ref);
    });
  }

  /** {@link syncNames} makes the reference last. */
  nameStream(contentIdentifier: string, ref: string): void {
    if (nameStream(this, contentIdentifier, ref)) this.#hasNewNames = true;
  }

  writeImage(data: Uint8Array, ref?: string): ObjectId {
    const id = writeImage(this, data, ref);
    this.#hasNewNames = true;
    return id;
  }

  /** Lists an image that is an object already, and names it if a name is given. {@link syncNames} makes that last. */
  registerImage(id: ObjectId, ref?: string): void {
    registerImages(this, [id], ref);
    this.#hasNewNames = true;
  }

  /** {@link registerImage} for several at once, without names. */
  registerImages(ids: readonly ObjectId[]): void {
    registerImages(this, ids);
    this.#hasNewNames = true;
  }

  /** @throws ImageNotFoundError */
  objectsForImage(name: string): Set<ObjectId> {
    return objectsForImage(this, name);
  }

  /** The tree that an image was made of. @throws ImageNotFoundError; ErofsReaderError */
  readImageTree(name: string): Directory {
    return readImageTree(this, name);
  }

  /** Makes and stores the images of a tree in all formats of {@link formatConfig}; the default one is named. */
  commitImages(root: Directory, ref?: string): Map<FormatVersion, ObjectId> {
    const images = commitImages(this, root, this.formatConfig(), ref);
    this.#hasNewNames = true;
    return images;
  }

  /** {@link commitImages}, returning the image of the default format only. */
  commitImage(root: Directory, ref?: string): ObjectId {
    const id = this.commitImages(root, ref).get(this.erofsVersion);
    if (id === undefined) throw new ComposefsError('INTERNAL', 'no image of the default format was made');
    return id;
  }

  commitImageVersion(root: Directory, version: FormatVersion, ref?: string): ObjectId {
    const id = commitImageVersion(this, root, version, ref);
    this.#hasNewNames = true;
    return id;
  }

  /**
   * Deletes what no reference and none of `additionalRoots` needs (spec 10 §17). Waits until everybody else has closed
   * the repository, other instances in this process included.
   *
   * @param additionalRoots digests of images and content identifiers of streams.
   */
  gc(additionalRoots: readonly string[] = [], options: GcOptions = {}): Promise<GcResult> {
    const { keepNewerThan } = options;
    const request = { additionalRoots, dryRun: false, keepNewerThan };
    return this.lock.exclusive(() => runGc(this.objects.options, request, options), {
      beforeUnshared: () => {
        this.ensureWritable();
        this.objects.suspendWriting(true);
      },
      afterShared: () => this.objects.suspendWriting(false),
      signal: options.signal,
      progress: options.progress,
    });
  }

  /**
   * Deletes those of the given objects that nothing needs any more, and their entries, as {@link gc} would: for who has
   * replaced something. Nothing is deleted while anybody else has the repository open, or does something else through
   * this instance: then that is left to {@link gc}. Blocks the thread; what has been replaced is on disk before.
   *
   * @returns whether it could be done.
   */
  async removeSuperseded(ids: readonly ObjectId[]): Promise<boolean> {
    return await this.lock.tryExclusive(() => removeUnreachable(this, new Set(ids)));
  }

  /** What {@link gc} would delete. Needs neither the exclusive lock nor write access. */
  gcDryRun(additionalRoots: readonly string[] = [], options: GcOptions = {}): Promise<GcResult> {
    const { keepNewerThan } = options;
    const request = { additionalRoots, dryRun: true, keepNewerThan };
    return this.lock.use(() => runGc(this.objects.options, request, options));
  }

  /** Checks everything (spec 10 §18). Changes nothing. */
  fsck(options: LongCallOptions = {}): Promise<FsckResult> {
    return this.lock.use(() => runFsck(this, { metadataOnly: false }, this.#withThreads(options)));
  }

  /** {@link fsck} without the content of the objects, which takes most of the time. */
  fsckMetadataOnly(options: LongCallOptions = {}): Promise<FsckResult> {
    return this.lock.use(() => runFsck(this, { metadataOnly: true }, this.#withThreads(options)));
  }

  #withThreads(options: LongCallOptions): LongCallOptions & { readonly threads: number } {
    return { ...options, threads: options.threads ?? this.#writeConcurrency };
  }

  #makeDirectory(name: string): string {
    this.root.makeDirectory(name, 0o755);
    return this.root.nameOf(name);
  }
}

function isOpenError(error: unknown, kind: RepositoryOpenError['kind']): boolean {
  return error instanceof RepositoryOpenError && error.kind === kind;
}
