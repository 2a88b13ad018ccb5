import type { ProgressReporter } from '../progress.js';
import { ThreadPool } from './pool.js';
import { serveTasks } from './tasks.js';
import { threadData } from './thread-side.js';

/** For calls that can take long. */
export interface LongCallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ProgressReporter | undefined;
  /**
   * At most so many worker threads. 0: none, this thread does the work and is mostly blocked meanwhile, which saves a
   * program with nothing else to do the start of threads. Default: that of the repository.
   */
  readonly threads?: number | undefined;
}

export interface JobOptions<Output> {
  /** At most so many threads at once; at least one. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** What the jobs report while they run. */
  readonly progress?: ProgressReporter | undefined;
  /** Called in the order in which jobs end. */
  readonly onDone?: ((output: Output) => void) | undefined;
}

interface JobTasks<Job, Output> {
  readonly job: { readonly input: Job; readonly output: Output };
  readonly finish: { readonly input: undefined; readonly output: undefined };
}

/**
 * Runs jobs of one kind in threads of their own and gives the results in the order of the jobs. The first failure, or an
 * abort, ends all threads.
 *
 * @param module a module that calls {@link serveJobs} with the same types.
 * @param context plain data, from which each thread makes what it works with.
 * @param jobs plain data, as are the outputs. What is no array is asked for a job when a thread has none.
 */
export async function runJobs<Job, Output>(
  module: URL,
  context: unknown,
  jobs: readonly Job[] | AsyncIterable<Job>,
  { threads, signal, progress, onDone }: JobOptions<Output>,
): Promise<Output[]> {
  signal?.throwIfAborted();
  const useful = 'length' in jobs ? Math.min(threads, jobs.length) : threads;
  const pool = new ThreadPool<JobTasks<Job, Output>>(module, useful, { data: context });
  const queue = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
  const outputs: Output[] = [];
  let count = 0;
  /** One thread's worth of jobs: the next one is asked for when the last one is done. */
  const runSome = async (): Promise<void> => {
    for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
      const index = count++;
      const output = await pool.run('job', next.value, { onProgress: (event) => progress?.report(event) });
      outputs[index] = output;
      onDone?.(output);
    }
  };
  const onAbort = (): void => void pool.close();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.all(Array.from({ length: pool.size }, runSome));
    await pool.runInEach('finish', undefined);
    return outputs;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await pool.close();
    // Lets go of what the jobs that nobody took would be made of.
    await queue.return?.();
  }
}

/**
 * The other side of {@link runJobs}: answers every job with what `run` makes of it.
 *
 * @param finish called after the last job, unless a job has failed.
 */
export function serveJobs<Context, Tool, Job, Output>(
  open: (context: Context) => Tool,
  run: (tool: Tool, job: Job, progress: ProgressReporter) => Output | Promise<Output>,
  finish: (tool: Tool) => void = () => undefined,
): void {
  const tool = open(threadData());
  serveTasks<JobTasks<Job, Output>>({
    job: (job, progress) => run(tool, job, progress),
    finish: () => void finish(tool),
  });
}
