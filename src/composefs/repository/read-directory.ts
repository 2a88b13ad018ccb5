import { availableParallelism } from 'node:os';
import { ContextError } from '../../errors.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/directory.js';
import type { PendingFile } from '../tree/pending-file.js';
import { type FileStore, readFilesystemLazily, type ScanOptions } from '../tree/scan.js';
import { unpackError } from './error-transfer.js';
import {
  type ContentDestination,
  type ContentJob,
  type ContentResult,
  openDestination,
  storeContents,
} from './file-contents.js';
import { runInWorkers } from './worker-threads.js';

export interface ReadDirectoryOptions extends Omit<ScanOptions, 'store' | 'algorithm'> {
  readonly destination: ContentDestination;
  /** Threads that read contents: 0 = the calling one. Default: one for each processor, none for a small directory. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
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
 * The tree below a directory, as `readFilesystem` makes it, with the contents of files read by several threads.
 *
 * @throws ScanError; where the contents of several files cannot be had, that of the first in the order of the scan.
 * @throws FlatStoreError if such a store cannot be opened.
 */
export async function readDirectory(path: string | Buffer, options: ReadDirectoryOptions): Promise<Directory> {
  const { destination } = options;
  const algorithm = destination.kind === 'repository' ? destination.store.algorithm : destination.algorithm;
  const store = new LazyStore(destination);
  const { root, pending } = readFilesystemLazily(path, { ...options, algorithm, store });
  if (pending.length === 0) return root;
  const results = await readContents(pending, store, options);
  for (const [index, file] of pending.entries()) {
    const result = results[index];
    if (result === undefined) throw new Error('a file without a result');
    if ('error' in result) {
      const cause = unpackError(result.error);
      throw file.failure(result.storing ? storingFailure(destination, cause) : cause);
    }
    file.resolve(result.id);
  }
  return root;
}

async function readContents(
  pending: readonly PendingFile[],
  store: LazyStore,
  { destination, threads = isSmall(pending) ? 0 : availableParallelism(), signal }: ReadDirectoryOptions,
): Promise<ContentResult[]> {
  // In any case: that it cannot be opened is no failure of a file.
  const opened = store.open();
  const jobs = [...jobsOf(pending)];
  if (threads === 0) return jobs.flatMap((job) => storeContents(opened, job));
  const worker = new URL('./content-worker.js', import.meta.url);
  const options = { threads: Math.min(threads, THREADS_MAX), signal };
  return (await runInWorkers<ContentJob, ContentResult[]>(worker, destination, jobs, options)).flat();
}

/** Opened, and made if it is missing, when there is something to put into it. */
class LazyStore implements FileStore {
  readonly #destination: ContentDestination;
  #store: FileStore | undefined;

  constructor(destination: ContentDestination) {
    this.#destination = destination;
  }

  open(): FileStore {
    return this.#withContext(() => {
      this.#store ??= openDestination(this.#destination);
      return this.#store;
    });
  }

  ensureObjectFromFd(fd: number, size: number): ObjectId {
    return this.#withContext(() => this.open().ensureObjectFromFd(fd, size));
  }

  #withContext<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw storingFailure(this.#destination, cause);
    }
  }
}

function storingFailure(destination: ContentDestination, cause: unknown): unknown {
  if (destination.kind !== 'flat-store' || cause instanceof FlatStoreError) return cause;
  return new FlatStoreError(`Storing in ${destination.path}`, cause);
}

function isSmall(pending: readonly PendingFile[]): boolean {
  return pending.length < SMALL_FILES && pending.reduce((sum, file) => sum + file.identity.size, 0) < SMALL_BYTES;
}

function* jobsOf(pending: readonly PendingFile[]): Generator<ContentJob> {
  let job: Pick<PendingFile, 'path' | 'identity'>[] = [];
  let bytes = 0;
  for (const { path, identity } of pending) {
    job.push({ path, identity });
    bytes += identity.size;
    if (job.length < JOB_FILES && bytes < JOB_BYTES) continue;
    yield job;
    job = [];
    bytes = 0;
  }
  if (job.length > 0) yield job;
}
