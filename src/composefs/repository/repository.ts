import { loadZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError } from '../../errors.js';
import { whenFileSystemSynced } from '../../fs/sync-file-system.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import { runInTurns } from '../../threads/turns.js';
import { type FormatVersion, formatVersions } from '../erofs/index.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { SplitStreamWriter } from '../splitstream/index.js';
import type { Directory } from '../tree/inode.js';
import { type CommitOptions, commitImages, storeImage } from './commit.js';
import { RepositoryOpenError } from './directory/open-error.js';
import { withRoot } from './directory/root.js';
import type { GcResult } from './gc/gc.js';
import { runGc, runRemoval } from './gc/run-gc.js';
import { initDirectory, makeRepositoryDirectory, type RepositoryConfig } from './init.js';
import { systemPath, userPath } from './location.js';
import { writeMissingMetadata } from './metadata/upgrade.js';
import { linkImages, nameImage } from './names/images.js';
import { validateRefName } from './names/names.js';
import { linkStreams, nameStream, type StreamNames, storeStream, validateStreamNames } from './names/streams.js';
import { createSymlink } from './names/symlink.js';
import { hasAllObjectsSteps } from './names/whole-stream.js';
import { type OpenDirectory, type OpenOptions, openDirectory } from './open.js';
import { ReadableRepository } from './readable-repository.js';

/** What {@link Repository.ensure} found or did. */
export type EnsureStatus = 'opened' | 'created' | 'upgraded';

/** What a collection of garbage keeps, and whether it deletes anything. */
export interface GcOptions extends LongCallOptions {
  /**
   * Milliseconds: entries in `images/` and `streams/` that are younger stay, with all that they need, and so do younger
   * objects.
   */
  readonly keepNewerThan?: number | undefined;
  /** Delete nothing, and say what would be deleted. */
  readonly dryRun?: boolean | undefined;
  /** What to keep besides what has a reference: digests of images, and content identifiers of streams. */
  readonly roots?: readonly string[] | undefined;
}

/**
 * An open composefs repository (spec 10).
 *
 * Everything short is synchronous. The functions that do the work are in the modules beside this one; this class only
 * binds them to one directory.
 */
export class Repository extends ReadableRepository {
  /** Whether names were given since the last {@link sync}. */
  #hasNewNames = false;
  /** The {@link sync} that began last. */
  #syncing: Promise<void> = Promise.resolve();

  private constructor(directory: OpenDirectory) {
    super(directory);
  }

  static override async open(path: string, options: OpenOptions = {}): Promise<Repository> {
    return new Repository(await openDirectory(path, options));
  }

  /** Opens the repository of the user, `$HOME/.var/lib/composefs`. */
  static openUser(options: OpenOptions = {}): Promise<Repository> {
    return Repository.open(userPath(), options);
  }

  /** Opens the repository of the system, `/sysroot/composefs`. */
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

  /** Brings everything stored so far to disk (spec 10 §15). The event loop goes on meanwhile. */
  sync(): Promise<void> {
    const syncing = this.lock.use(async () => {
      const hadNewNames = this.#hasNewNames;
      // What is named while the kernel is at work is for the next sync.
      this.#hasNewNames = false;
      try {
        await whenFileSystemSynced(this.root.fd, this.path);
      } catch (error) {
        this.#hasNewNames ||= hadNewNames;
        throw error;
      }
    });
    this.#syncing = syncing;
    return syncing;
  }

  /** {@link sync}, if names were given to streams or images since. */
  async syncNames(): Promise<void> {
    this.root.requireOpen();
    // One that has begun after the last name was given will do.
    await (this.#hasNewNames ? this.sync() : this.#syncing);
  }

  /** Spec 10 §11.1: `name` and `target` are relative to the repository. The caller checks them. */
  symlink(name: string, target: string): void {
    this.ensureWritable();
    createSymlink(this.root, name, target);
    this.#hasNewNames = true;
  }

  /**
   * A writer for a new stream, which {@link writeStream} stores. @param contentType any u64; it tells kinds of streams apart.
   */
  createStream(contentType: bigint): SplitStreamWriter {
    this.ensureWritable();
    return new SplitStreamWriter(this.algorithm, contentType);
  }

  /** Finishes and stores a stream and gives it its names (spec 10 §12). */
  writeStream(writer: SplitStreamWriter, contentIdentifier: string, ref?: string): Promise<ObjectId> {
    return this.hold(async () => {
      const id = await this.storeStream(writer);
      await this.registerStream(id, contentIdentifier, ref);
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
  async registerStream(id: ObjectId, contentIdentifier: string, ref?: string): Promise<void> {
    await this.registerStreams([{ id, contentIdentifier, ref }]);
  }

  /** {@link registerStream} for several at once. */
  async registerStreams(streams: readonly StreamNames[]): Promise<void> {
    await this.registerNames([], streams);
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
  async registerNames(images: readonly ObjectId[], streams: readonly StreamNames[]): Promise<void> {
    this.ensureWritable();
    validateStreamNames(streams);
    await this.hold(async () => {
      await this.sync();
      this.linkImages(images);
      this.linkStreams(streams);
    });
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
    if (existing !== undefined && (await runInTurns(hasAllObjectsSteps(this, existing, contentType)))) {
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

  /**
   * Stores an image, lists it in `images/`, which allows to mount it, and names it if a name is given. The bytes are not
   * checked: the caller vouches for them.
   */
  async writeImage(data: Uint8Array, ref?: string, options: CommitOptions = {}): Promise<ObjectId> {
    if (ref !== undefined) validateRefName(ref);
    return await this.hold(async () => {
      const id = await storeImage(this, data, options);
      await this.registerImage(id, ref);
      return id;
    });
  }

  /**
   * Lists an image that is an object already, and names it if a name is given, when it is on disk: after a crash a listed
   * image is complete. {@link syncNames} makes that last.
   */
  async registerImage(id: ObjectId, ref?: string): Promise<void> {
    await this.registerImages([id], ref);
  }

  /** {@link registerImage} for several at once; the name is for the first. */
  async registerImages(ids: readonly ObjectId[], ref?: string): Promise<void> {
    if (ref !== undefined) validateRefName(ref);
    await this.hold(async () => {
      await this.registerNames(ids, []);
      const [named] = ids;
      if (ref !== undefined && named !== undefined) nameImage(this, named, ref);
    });
  }

  /** Makes and stores the images of a tree in all formats of {@link formatConfig}; the default one is named. */
  async commitImages(
    root: Directory,
    ref?: string,
    options: CommitOptions = {},
  ): Promise<Map<FormatVersion, ObjectId>> {
    if (ref !== undefined) validateRefName(ref);
    return await this.hold(async () => {
      const images = await commitImages(this, root, formatVersions(this.formatConfig()), options);
      await this.registerImages([...images.values()], ref);
      return images;
    });
  }

  /** {@link commitImages}, returning the image of the default format only. */
  async commitImage(root: Directory, ref?: string, options: CommitOptions = {}): Promise<ObjectId> {
    const id = (await this.commitImages(root, ref, options)).get(this.erofsVersion);
    if (id === undefined) throw new ComposefsError('INTERNAL', 'no image of the default format was made');
    return id;
  }

  /** {@link commitImages} in one format, whatever the repository is configured for. */
  async commitImageVersion(
    root: Directory,
    version: FormatVersion,
    ref?: string,
    options: CommitOptions = {},
  ): Promise<ObjectId> {
    if (ref !== undefined) validateRefName(ref);
    return await this.hold(async () => {
      const [id] = (await commitImages(this, root, [version], options)).values();
      if (id === undefined) throw new ComposefsError('INTERNAL', 'no image was made');
      await this.registerImage(id, ref);
      return id;
    });
  }

  /**
   * Deletes what no reference and none of `roots` needs (spec 10 §17). Waits until everybody else has closed the
   * repository, other instances in this process included; a dry run neither does that nor needs write access.
   */
  gc({ dryRun = false, roots = [], keepNewerThan, ...options }: GcOptions = {}): Promise<GcResult> {
    const request = { additionalRoots: roots, dryRun, keepNewerThan };
    if (dryRun) return this.lock.use(() => runGc(this.objects.options, request, options));
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
   * Deletes those of the given objects that nothing needs any more, and their entries, as {@link gc} would: for callers that
   * have replaced something. Nothing is deleted while anybody else has the repository open, or does something else through
   * this instance: then that is left to {@link gc}. What has been replaced is on disk before.
   *
   * @returns whether it could be done.
   */
  async removeSuperseded(ids: readonly ObjectId[]): Promise<boolean> {
    return await this.lock.tryExclusive(() => runRemoval(this.objects.options, ids), {
      beforeUnshared: () => this.objects.suspendWriting(true),
      afterShared: () => this.objects.suspendWriting(false),
    });
  }

  #makeDirectory(name: string): string {
    this.root.makeDirectory(name, 0o755);
    return this.root.nameOf(name);
  }
}

function isOpenError(error: unknown, kind: RepositoryOpenError['kind']): boolean {
  return error instanceof RepositoryOpenError && error.kind === kind;
}
