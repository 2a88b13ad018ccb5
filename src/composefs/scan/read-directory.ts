import { availableParallelism } from 'node:os';
import { ContextError } from '../../errors.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import { runJobStream } from '../../threads/jobs.js';
import { runInTurns, type Steps } from '../../threads/turns.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/inode.js';
import type { Xattrs } from '../tree/stat.js';
import { ContentQueue, type PendingFiles, type Portion, type TakenFiles } from './content-queue.js';
import {
  type ContentDestination,
  type ContentJob,
  type ContentResult,
  dropUnfinished,
  finishObjects,
  openDestination,
  type StoreDestination,
  storeContentsSteps,
  storeDestination,
} from './file-contents.js';
import type { FileStore, SteppedFileStore } from './file-digests.js';
import { FlatDigestStore } from './flat-digest-store.js';
import type { PendingFile } from './found-leaf.js';
import { FilesystemScan, type HardlinkBehavior, type ScanOptions } from './scan.js';

/** How a directory is read, and where the contents of its files go. */
export interface ReadDirectoryOptions {
  /** Default `tracked`. */
  readonly hardlinks?: HardlinkBehavior;
  /** Gives the xattrs of an inode that the tree is to have. Default: all that there are. */
  readonly readXattrs?: ((path: Buffer) => Xattrs) | undefined;
  readonly destination: ContentDestination;
  /** Threads that read contents: 0 = the calling one. Default: one for each processor, none for a small directory. */
  readonly threads?: number | undefined;
  /**
   * True: the calling thread is one of them, for a program that has nothing else to do meanwhile. It still pauses every few
   * milliseconds. Default false.
   */
  readonly ownThread?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many large files have been read, of which there may be more than are known. */
  readonly progress?: ProgressReporter | undefined;
}

/** What goes wrong with a store that is not a repository. */
export class FlatStoreError extends ContextError {}

const THREADS_MAX = 32;
/** What a thread is given at once. It has so much waiting, too, so that it never waits for the thread that hands it out. */
const PORTION: Portion = { files: 256, bytes: 8 * 1024 * 1024 };
const PORTIONS_A_THREAD = 2;
/** What the calling thread takes: it has others to serve. */
const OWN_PORTION: Portion = { files: 32, bytes: 1024 * 1024 };
/** What is found before others get their turn. */
const FILES_A_STEP = 16;
/** Starting threads takes as long as reading this. */
const SMALL_FILES = 1000;
const SMALL_BYTES = 64 * 1024 * 1024;

/**
 * The tree below a directory: all inodes of all types with all their xattrs, and mtimes to the nanosecond. Mount points are
 * crossed, symlinks are not followed; the path itself must not be one. The contents of files are read by several threads
 * while the calling one looks for more. What is in a flat store then survives a crash; a repository is synced by whoever
 * has it open.
 *
 * @throws ScanError; where the contents of several files cannot be had, that of the first in the order of the scan.
 * @throws FlatStoreError if such a store cannot be opened or synced.
 */
export async function readDirectory(path: string | Buffer, options: ReadDirectoryOptions): Promise<Directory> {
  const { signal, progress = nullReporter } = options;
  const destination = storeDestination(options.destination);
  signal?.throwIfAborted();
  const algorithm = destination.kind === 'repository' ? destination.store.algorithm : destination.algorithm;
  const store = new LazyStore(destination);
  const files = new FoundFiles(path, { ...options, algorithm, store });
  try {
    const isSmall = files.findSome();
    if (files.pending.length > 0) {
      // In any case: that it cannot be opened is no failure of a file.
      store.open();
      const threads = options.threads ?? (isSmall ? 0 : availableParallelism());
      const id = 'files';
      let fetched = 0;
      const onRead = (count: number): void => {
        fetched += count;
        progress.report({ type: 'progress', id, fetched, total: files.pending.length });
      };
      progress.report({ type: 'started', id, total: files.pending.length, unit: 'items' });
      await readPendingFiles(files, store, { ...options, threads, onRead });
      progress.report({ type: 'done', id, transferred: files.pending.length });
    }
    store.finish();
    return files.root;
  } finally {
    files.close();
    store.close();
  }
}

export interface ReadPendingOptions {
  /** 0: the calling one. */
  readonly threads: number;
  /** Default: if there is no other. */
  readonly ownThread?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of further files that have been read. */
  readonly onRead: (count: number) => void;
}

/**
 * Reads the contents of all of these files, and gives them to the tree.
 *
 * @throws ScanError that of the first in their order
 */
export async function readPendingFiles(
  files: PendingFiles,
  store: LazyStore,
  { threads, ownThread = threads === 0, signal: outerSignal, onRead }: ReadPendingOptions,
): Promise<void> {
  const queue = new ContentQueue(files);
  const others = Math.min(ownThread ? threads - 1 : threads, THREADS_MAX);
  const stop = new AbortController();
  const signal = outerSignal === undefined ? stop.signal : AbortSignal.any([outerSignal, stop.signal]);
  const settle = (taken: TakenFiles, result: ContentResult): void => {
    queue.settle(taken, result);
    onRead(taken.places.length);
  };
  // This thread looks for files in any case.
  const own = ownThread ? readHereSteps(queue, store.open(), settle) : findSteps(queue);
  const work = [runInTurns(own, signal)];
  if (others > 0) work.push(readInThreads(queue, store.destination, { threads: others, signal, settle }));
  // None is left alone when another one fails: the store may be closed then.
  const results = await Promise.allSettled(work.map((part) => part.catch((error) => stopWith(stop, error))));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  queue.finish((cause) => store.failure(cause));
}

function stopWith(stop: AbortController, error: unknown): never {
  stop.abort(error);
  throw error;
}

/** The large files of a scan that goes on as more of them are asked for. */
class FoundFiles implements PendingFiles {
  readonly pending: PendingFile[] = [];
  readonly withXattrs: boolean;
  readonly #scan: FilesystemScan;

  constructor(path: string | Buffer, options: ScanOptions) {
    this.withXattrs = options.readXattrs === undefined;
    this.#scan = new FilesystemScan(path, options, this.pending);
  }

  /** After the end of the scan. */
  get root(): Directory {
    return this.#scan.root;
  }

  /** Looks for one more. False at the end of the scan. @throws ScanError */
  findNext(): boolean {
    const before = this.pending.length;
    while (this.#scan.step()) if (this.pending.length > before) return true;
    return false;
  }

  /** Looks for as many as are worth a thread. True if the scan ended before. @throws ScanError */
  findSome(): boolean {
    for (let bytes = 0; this.pending.length < SMALL_FILES && bytes < SMALL_BYTES; ) {
      if (!this.findNext()) return true;
      bytes += this.pending.at(-1)?.size ?? 0;
    }
    return false;
  }

  /** What it is by now counts. @throws ScanError */
  readChanged(file: PendingFile): void {
    this.#scan.readChanged(file);
  }

  close(): void {
    this.#scan.close();
  }
}

type Settle = (taken: TakenFiles, result: ContentResult) => void;

function* findSteps(queue: ContentQueue): Steps<void> {
  for (let count = 1; queue.find(); count++) if (count % FILES_A_STEP === 0) yield;
}

/** Finds all files, and then reads those that no other thread has taken. */
function* readHereSteps(queue: ContentQueue, store: SteppedFileStore, settle: Settle): Steps<void> {
  yield* findSteps(queue);
  for (let taken = queue.take(OWN_PORTION, false); taken !== undefined; taken = queue.take(OWN_PORTION, false)) {
    settle(taken, yield* storeContentsSteps(store, taken.job));
  }
  // While other threads do so with theirs.
  finishObjects(store);
}

async function readInThreads(
  queue: ContentQueue,
  destination: StoreDestination,
  { threads, signal, settle }: { readonly threads: number; readonly signal: AbortSignal; readonly settle: Settle },
): Promise<void> {
  const parts: TakenFiles[] = [];
  function* jobs(): Generator<ContentJob> {
    for (let taken = queue.take(PORTION, true); taken !== undefined; taken = queue.take(PORTION, true)) {
      parts.push(taken);
      yield taken.job;
    }
  }
  const onDone = (result: ContentResult, index: number): void => {
    const taken = parts[index];
    if (taken === undefined) throw new Error('a result of no job');
    delete parts[index];
    settle(taken, result);
  };
  const worker = new URL('./content-worker.js', import.meta.url);
  await runJobStream(worker, destination, jobs(), { threads, jobsAThread: PORTIONS_A_THREAD, signal, onDone });
}

/** Opened, and made if it is missing, when there is something to put into it. */
export class LazyStore implements FileStore {
  readonly destination: StoreDestination;
  #store: SteppedFileStore | undefined;

  constructor(destination: StoreDestination) {
    this.destination = destination;
  }

  open(): SteppedFileStore {
    this.#store ??= this.#withContext(() => openDestination(this.destination));
    return this.#store;
  }

  /** The error of something that went wrong with the store. */
  failure(cause: unknown): unknown {
    const { destination } = this;
    return destination.kind === 'flat-store' ? new FlatStoreError(`Storing in ${destination.path}`, cause) : cause;
  }

  ensureObjectFromFd(fd: number, size: number): ObjectId {
    const store = this.open();
    return this.#withContext(() => store.ensureObjectFromFd(fd, size));
  }

  finish(): void {
    const store = this.#store;
    if (store === undefined) return;
    this.#withContext(() => {
      finishObjects(store);
      if (store instanceof FlatDigestStore) store.sync();
    });
  }

  close(): void {
    if (this.#store !== undefined) dropUnfinished(this.#store);
  }

  #withContext<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw this.failure(cause);
    }
  }
}
