import { availableParallelism } from 'node:os';
import { type RunOptions, ThreadPool } from '../../../threads/pool.js';
import type { ImportTasks } from './tasks.js';

/** Runs {@link ImportTasks}, in threads or not. */
export interface ImportPool {
  /** How many tasks run at once, at most. */
  readonly size: number;
  /** Whether there is a thread that has nothing to do. */
  readonly isIdle: boolean;
  run<Name extends keyof ImportTasks>(
    task: Name,
    input: ImportTasks[Name]['input'],
    options?: RunOptions,
  ): Promise<ImportTasks[Name]['output']>;
  close(): Promise<void>;
}

/**
 * A small young generation: what passes through are buffers, which live shortly and count as external memory. Collected
 * early they cost no collections of the whole heap, and a quarter of the memory.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 3 };

/**
 * Threads for {@link ImportTasks}: they start when there is work for them.
 *
 * @param sharedThreads how many there may be before tasks that wait for a network share one. More than there are
 *   processors cost memory and do not help: each is 25 MiB, and 50 ms of processor time until it runs.
 */
export function importPool(
  size: number = availableParallelism(),
  sharedThreads: number = availableParallelism(),
): ImportPool {
  const module = new URL('./import-thread.js', import.meta.url);
  return new ThreadPool<ImportTasks>(module, size, { resourceLimits: RESOURCE_LIMITS, sharedThreads });
}
