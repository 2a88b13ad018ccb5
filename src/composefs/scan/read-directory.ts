import { availableParallelism } from 'node:os';
import { ContextError } from '../../errors.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import { unpackError } from '../../threads/error-transfer.js';
import { type JobOptions, runJobs } from '../../threads/jobs.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/inode.js';
import type { Xattrs } from '../tree/stat.js';
import {
  type ContentDestination,
  type ContentJob,
  type ContentResult,
  contentJob,
  dropUnfinished,
  FILE_CHANGED,
  finishObjects,
  openDestination,
  type StoreDestination,
  storeContents,
  storeDestination,
} from './file-contents.js';
import type { FileStore } from './file-digests.js';
import { FlatDigestStore } from './flat-digest-store.js';
import type { PendingFile } from './pending-file.js';
import { FilesystemScan, type HardlinkBehavior, type ScanOptions } from './scan.js';

/** How a directory is read, and where the contents of its files go. */
export interface ReadDirectoryOptions {
  /** Default `tracked`. */
  readonly hardlinks?: HardlinkBehavior;
  /** Gives the xattrs of an inode that the tree is to have. Default: all that there are. */
  readonly readXattrs?: (path: Buffer) => Xattrs;
  readonly destination: ContentDestination;
  /** Threads that read contents: 0 = the calling one. Default: one for each processor, none for a small directory. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many large files have been read, of which there may be more than are known. */
  readonly progress?: ProgressReporter | undefined;
}

/** What goes wrong with a store that is not a repository. */
export class FlatStoreError extends ContextError {}

const THREADS_MAX = 32;
/** What a thread is given at once. */
const JOB_FILES = 256;
const JOB_BYTES = 8 * 1024 * 1024;
/** Starting threads takes as long as reading this. */
const SMALL_FILES = 1000;
const SMALL_BYTES = 64 * 1024 * 1024;

/**
 * The tree below a directory, as {@link FilesystemScan} makes it, with the contents of files read by several threads while
 * the calling one looks for more. What is in a flat store then survives a crash; a repository is synced by whoever has it open.
 *
 * @throws ScanError; where the contents of several files cannot be had, that of the first in the order of the scan.
 * @throws FlatStoreError if such a store cannot be opened or synced.
 */
export async function readDirectory(path: string | Buffer, options: ReadDirectoryOptions): Promise<Directory> {
  const { threads, signal, progress = nullReporter } = options;
  const destination = storeDestination(options.destination);
  signal?.throwIfAborted();
  const algorithm = destination.kind === 'repository' ? destination.store.algorithm : destination.algorithm;
  const store = new LazyStore(destination);
  const files = new FoundFiles(path, { ...options, algorithm, store });
  try {
    const isSmall = files.findSome();
    if (files.pending.length > 0) {
      // In any case: that it cannot be opened is no failure of a file.
      const opened = store.open();
      const count = Math.min(threads ?? (isSmall ? 0 : availableParallelism()), THREADS_MAX);
      const id = 'files';
      let fetched = 0;
      const onDone = ({ ids }: ContentResult): void => {
        fetched += ids.length;
        progress.report({ type: 'progress', id, fetched, total: files.pending.length });
      };
      progress.report({ type: 'started', id, total: files.pending.length, unit: 'items' });
      const results =
        count === 0 ? [readHere(files, opened)] : await readInThreads(files, destination, count, { signal, onDone });
      progress.report({ type: 'done', id, transferred: files.pending.length });
      resolveAll(files, results, destination);
    }
    store.finish();
    return files.root;
  } finally {
    files.close();
    store.close();
  }
}

/** Large files that were found, and perhaps more. */
export interface PendingFiles {
  readonly pending: readonly PendingFile[];
  /** Looks for one more. False if there is none. @throws ScanError */
  findNext(): boolean;
  /** What it is by now counts. @throws ScanError */
  readChanged(file: PendingFile): void;
}

export interface ReadPendingOptions {
  /** 0: the calling one. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Called by threads with the number of further files that have been read. */
  readonly onRead?: ((count: number) => void) | undefined;
}

/**
 * Reads the contents of all of these files, and gives them to the tree.
 *
 * @throws ScanError that of the first in their order
 */
export async function readPendingFiles(
  files: PendingFiles,
  destination: StoreDestination,
  { threads, signal, onRead }: ReadPendingOptions,
): Promise<void> {
  if (files.pending.length === 0) return;
  const count = Math.min(threads, THREADS_MAX);
  const results =
    count === 0
      ? [storeContents(openDestination(destination), contentJob(files.pending))]
      : await readInThreads(files, destination, count, { signal, onDone: ({ ids }) => onRead?.(ids.length) });
  resolveAll(files, results, destination);
}

/** The large files of a scan that goes on as more of them are asked for. */
class FoundFiles implements PendingFiles {
  readonly pending: PendingFile[] = [];
  readonly #scan: FilesystemScan;

  constructor(path: string | Buffer, options: ScanOptions) {
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

function readHere(files: FoundFiles, store: FileStore): ContentResult {
  while (files.findNext());
  return storeContents(store, contentJob(files.pending));
}

async function readInThreads(
  files: PendingFiles,
  destination: StoreDestination,
  threads: number,
  options: Omit<JobOptions<ContentResult>, 'threads'>,
): Promise<ContentResult[]> {
  const worker = new URL('./content-worker.js', import.meta.url);
  return await runJobs<ContentJob, ContentResult>(worker, destination, jobsOf(files), { ...options, threads });
}

/** The scan goes on while threads are at work: when one of them asks for a job. */
async function* jobsOf(files: PendingFiles): AsyncGenerator<ContentJob> {
  for (let start = 0; ; ) {
    let end = start;
    for (let bytes = 0; end - start < JOB_FILES && bytes < JOB_BYTES; end++) {
      if (end === files.pending.length && !files.findNext()) break;
      bytes += files.pending[end]?.size ?? 0;
    }
    if (end === start) return;
    yield contentJob(files.pending.slice(start, end));
    start = end;
  }
}

/** The results are those of the files in their order, in any number of pieces. */
function resolveAll(files: PendingFiles, results: readonly ContentResult[], destination: StoreDestination): void {
  const ids = results.flatMap((result) => result.ids);
  const failures = results.flatMap((result) => result.failures).values();
  if (ids.length !== files.pending.length) throw new Error('the files and their results are out of step');
  for (const [index, file] of files.pending.entries()) {
    const id = ids[index];
    if (id !== undefined) {
      file.resolve(id);
      continue;
    }
    const { done, value } = failures.next();
    if (done === true) throw new Error('a file without a result');
    const { error, storing } = value;
    // On a system at work files change all the time.
    if (!storing && error.code === FILE_CHANGED) files.readChanged(file);
    else throw file.failure(storing ? storingFailure(destination, unpackError(error)) : unpackError(error));
  }
}

/** Opened, and made if it is missing, when there is something to put into it. */
class LazyStore implements FileStore {
  readonly #destination: StoreDestination;
  #store: FileStore | undefined;

  constructor(destination: StoreDestination) {
    this.#destination = destination;
  }

  open(): FileStore {
    this.#store ??= this.#withContext(() => openDestination(this.#destination));
    return this.#store;
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
      throw storingFailure(this.#destination, cause);
    }
  }
}

function storingFailure(destination: StoreDestination, cause: unknown): unknown {
  return destination.kind === 'flat-store' ? new FlatStoreError(`Storing in ${destination.path}`, cause) : cause;
}
