import type { ProgressReporter } from '../../../progress.js';
import { SharedQueue, type SharedQueueReference } from '../../../threads/shared-queue.js';
import type { Steps } from '../../../threads/turns.js';
import type { RepositoryHost } from '../objects/host.js';
import { objectDirectorySteps } from './fsck-objects.js';
import type { FsckPart } from './fsck-result.js';

/** What each thread of a check is told. Plain data. */
export interface FsckShare {
  /** To check streams and images first. One thread is told that. */
  readonly contents?: { readonly objectsAreChecked: boolean };
  /** To check directories of objects until none is left. */
  readonly directories: SharedQueueReference;
}

/** What a thread has found. */
export interface FsckShareResult {
  readonly contents?: FsckPart;
  readonly directories: readonly (readonly [number: number, found: FsckPart])[];
}

/** Milliseconds between two reports. */
const REPORT_INTERVAL = 50;

/**
 * Checks directories of objects until none is left.
 *
 * @param progress told every now and then how many parts of the check are done, in all threads.
 */
export function* directoriesSteps(
  repository: RepositoryHost,
  directories: SharedQueueReference,
  progress: ProgressReporter,
): Steps<FsckShareResult['directories']> {
  const queue = new SharedQueue(directories);
  const { path: id } = repository.root;
  const results: [number, FsckPart][] = [];
  let nextReport = performance.now() + REPORT_INTERVAL;
  for (let number = queue.take(); number !== undefined; number = queue.take()) {
    results.push([number, yield* objectDirectorySteps(repository, number)]);
    queue.finishOne();
    if (performance.now() < nextReport) continue;
    progress.report({ type: 'progress', id, fetched: queue.done, total: directories.length + 1 });
    nextReport = performance.now() + REPORT_INTERVAL;
  }
  return results;
}
