import type { ProgressEvent, ProgressReporter } from '../progress.js';
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

export interface JobOptions {
  /** At most so many threads at once; at least one. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** What the jobs report while they run. */
  readonly progress?: ProgressReporter | undefined;
}

export interface JobStreamOptions<Output> extends JobOptions {
  /** How many jobs a thread is given before it has done the first: others wait in it, and it never for another one. */
  readonly jobsAThread: number;
  /** Called in the order in which jobs end, with the number of the job. */
  readonly onDone: (output: Output, index: number) => void;
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
 * @param jobs plain data, as are the outputs.
 */
export async function runJobs<Job, Output>(
  module: URL,
  context: unknown,
  jobs: readonly Job[],
  options: JobOptions,
): Promise<Output[]> {
  const outputs: Output[] = [];
  const onDone = (output: Output, index: number): void => {
    outputs[index] = output;
  };
  const threads = Math.min(options.threads, jobs.length);
  await runJobStream(module, context, jobs.values(), { ...options, threads, jobsAThread: 1, onDone });
  return outputs;
}

/** {@link runJobs} for jobs that are made when a thread has room for one: the iterator is asked for them. */
export async function runJobStream<Job, Output>(
  module: URL,
  context: unknown,
  jobs: Iterator<Job>,
  { threads, jobsAThread, signal, progress, onDone }: JobStreamOptions<Output>,
): Promise<void> {
  signal?.throwIfAborted();
  const pool = new ThreadPool<JobTasks<Job, Output>>(module, threads, { data: context });
  const options = { onProgress: (event: ProgressEvent) => progress?.report(event), sharesThread: jobsAThread > 1 };
  let count = 0;
  /** One job after the other: the next one is asked for when the last one is done. */
  const runSome = async (): Promise<void> => {
    for (let next = jobs.next(); next.done !== true; next = jobs.next()) {
      const index = count++;
      onDone(await pool.run('job', next.value, options), index);
    }
  };
  const onAbort = (): void => void pool.close();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.all(Array.from({ length: pool.size * jobsAThread }, runSome));
    await pool.runInEach('finish', undefined);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await pool.close();
    // Lets go of what the jobs that nobody took would be made of.
    jobs.return?.();
  }
}

/**
 * The other side of {@link runJobs} and {@link runJobStream}: answers every job with what `run` makes of it.
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
