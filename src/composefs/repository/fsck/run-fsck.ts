import { setTimeout as delay } from 'node:timers/promises';
import { ComposefsError } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { nullReporter, type ProgressReporter } from '../../../progress.js';
import { type LongCallOptions, runJobs } from '../../../threads/jobs.js';
import { SharedQueue } from '../../../threads/shared-queue.js';
import { runInTurns } from '../../../threads/turns.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECT_DIRECTORIES, OBJECTS } from '../objects/object-directory.js';
import { concludeFsck, type FsckParts, type FsckRequest, type FsckResult, isInDoubt } from './fsck.js';
import { contentSteps } from './fsck-contents.js';
import { directoriesSteps, type FsckShare, type FsckShareResult } from './fsck-share.js';

export interface RunFsckOptions extends LongCallOptions {
  /** How many threads do it at most; 0 for this one alone. */
  readonly threads: number;
  /** Whether this thread is one of them. */
  readonly ownThread?: boolean | undefined;
}

/**
 * Milliseconds that this thread works by itself, if it works at all, before it starts others: most of what takes no longer
 * is done before another one runs.
 */
const HEAD_START = 10;
/** With as many objects in one directory the check takes longer than another thread takes to start. */
const MANY_IN_DIRECTORY = 16;

/** A consistency check. Reports the parts that are done. */
export async function runFsck(
  repository: RepositoryHost,
  { metadataOnly }: FsckRequest,
  options: RunFsckOptions,
): Promise<FsckResult> {
  const { path: id } = repository.root;
  const { progress = nullReporter } = options;
  const directories = metadataOnly ? 0 : OBJECT_DIRECTORIES;
  progress.report({ type: 'started', id, total: directories + 1, unit: 'items' });
  const parts = await runParts(repository, directories, options);
  const result = isInDoubt(parts)
    ? { ...parts, contents: (await runParts(repository, 0, { ...options, progress: nullReporter })).contents }
    : parts;
  progress.report({ type: 'done', id, transferred: directories + 1 });
  return concludeFsck(repository, result);
}

/** Streams, images and the first so many directories of objects. */
async function runParts(
  repository: RepositoryHost,
  count: number,
  { threads, ownThread = threads === 0, signal, progress: reporter = nullReporter }: RunFsckOptions,
): Promise<FsckParts> {
  const queue = SharedQueue.ofLength(count);
  const directories = queue.reference;
  const contents = { objectsAreChecked: count > 0 };
  const progress: ProgressReporter = {
    // Each thread tells what it knew when it did: the one that comes later must not tell of less.
    report: (event) => reporter.report(event.type === 'progress' ? { ...event, fetched: queue.done } : event),
  };
  const inThreads = async (shares: readonly FsckShare[]): Promise<FsckShareResult[]> => {
    const worker = new URL('./fsck-worker.js', import.meta.url);
    return await runJobs(worker, repository.objects.options, shares, { threads: shares.length, signal, progress });
  };
  const here = async (): Promise<FsckShareResult> => ({
    contents: await runInTurns(contentSteps(repository, contents.objectsAreChecked), signal),
    directories: await runInTurns(directoriesSteps(repository, directories, progress), signal),
  });
  const others = (most: number): FsckShare[] =>
    new Array(Math.max(0, Math.min(most, queue.left))).fill({ directories });
  const results = ownThread
    ? await alsoInThreads(queue, hasMany(repository) ? 0 : HEAD_START, here, () => inThreads(others(threads - 1)))
    : await inThreads([{ contents, directories }, ...others(threads - 1)]);
  const found = results.find((result) => result.contents !== undefined)?.contents;
  if (found === undefined) throw new ComposefsError('INTERNAL', 'no thread has checked the streams');
  const objects = results.flatMap((result) => result.directories).sort(([a], [b]) => a - b);
  return { contents: found, objects: objects.map(([, part]) => part) };
}

/** Whether there are many objects, by one of their directories: digests spread them evenly. */
function hasMany({ root }: RepositoryHost): boolean {
  try {
    return root.within(`${OBJECTS}/00`, listNames).length >= MANY_IN_DIRECTORY;
  } catch {
    // What cannot be read is found, and told of, by the check.
    return false;
  }
}

/** Lets threads help with what this one does, if that takes longer than a head start. */
async function alsoInThreads(
  queue: SharedQueue,
  headStart: number,
  here: () => Promise<FsckShareResult>,
  inThreads: () => Promise<FsckShareResult[]>,
): Promise<FsckShareResult[]> {
  const stop = (error: unknown): never => {
    queue.clear();
    throw error;
  };
  const early = headStart === 0 ? inThreads() : undefined;
  const own = here();
  const late = async (): Promise<FsckShareResult[]> => {
    await Promise.race([own, delay(headStart, undefined, { ref: false })]);
    return await inThreads();
  };
  // Neither is left alone when the other fails: the repository may be closed then.
  const [mine, theirs] = await Promise.allSettled([own.catch(stop), (early ?? late()).catch(stop)]);
  if (mine.status === 'rejected') throw mine.reason;
  if (theirs.status === 'rejected') throw theirs.reason;
  return [mine.value, ...theirs.value];
}
