import { ComposefsError } from '../../../errors.js';
import { syncFileSystem } from '../../../fs/sync-file-system.js';
import type { ProgressReporter } from '../../../progress.js';
import { packError, type TransferredError, unpackError } from '../../../threads/error-transfer.js';
import { Thread } from '../../../threads/thread.js';
import { onMessage, postToStarter, threadData } from '../../../threads/thread-side.js';
import type { SyncingHost } from './host.js';
import { ObjectStore, type ObjectStoreOptions } from './object-store.js';

/** Makes a host in another thread: of `repo.objects.options`, which is plain data. */
export function hostFrom(options: ObjectStoreOptions): SyncingHost {
  const objects = new ObjectStore(options);
  const { root } = objects;
  return { path: root.path, root, objects, sync: () => syncFileSystem(root.fd, root.path) };
}

type Reply<Output> =
  | { readonly type: 'done'; readonly output: Output }
  | { readonly type: 'failed'; readonly error: TransferredError };

/** For calls that can take long. */
export interface LongCallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ProgressReporter | undefined;
  /**
   * At most so many worker threads. 0: none, this thread does the work and is blocked meanwhile, which saves a
   * program with nothing else to do the start of threads. Default: that of the repository.
   */
  readonly threads?: number | undefined;
}

export interface WorkerOptions<Output> {
  /** At most so many threads at once; at least one. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Called in the order in which jobs end. */
  readonly onDone?: ((output: Output) => void) | undefined;
}

/**
 * Runs jobs in threads of their own and gives the results in the order of the jobs. The first failure, or an abort,
 * ends all threads.
 *
 * @param worker a module that calls {@link serveJobs} with the same types.
 * @param context plain data, from which each thread makes what it works with.
 * @param jobs plain data, as are the outputs. What is no array is asked for a job when a thread has none.
 */
export async function runInWorkers<Job, Output>(
  worker: URL,
  context: unknown,
  jobs: readonly Job[] | AsyncIterable<Job>,
  options: WorkerOptions<Output>,
): Promise<Output[]> {
  const { signal } = options;
  signal?.throwIfAborted();
  const queue = new JobQueue(jobs);
  const outputs: Output[] = [];
  const abort = new AbortController();
  const useful = 'length' in jobs ? jobs.length : Number.POSITIVE_INFINITY;
  const threads = Array.from({ length: Math.max(1, Math.min(options.threads, useful)) }, () =>
    runThread<Job, Output>(worker, context, {
      next: () => queue.next(),
      done: (index, output) => {
        outputs[index] = output;
        options.onDone?.(output);
      },
      signal: signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal]),
    }),
  );
  try {
    await Promise.all(threads);
  } catch (error) {
    abort.abort(error);
    await Promise.allSettled(threads);
    throw error;
  } finally {
    await queue.close();
  }
  return outputs;
}

type NumberedJob<Job> = readonly [index: number, job: Job];

class JobQueue<Job> {
  readonly #jobs: Iterator<Job> | AsyncIterator<Job>;
  #count = 0;

  constructor(jobs: readonly Job[] | AsyncIterable<Job>) {
    this.#jobs = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
  }

  /** Undefined after the last. Who asks first gets the first. */
  async next(): Promise<NumberedJob<Job> | undefined> {
    const { done, value } = await this.#jobs.next();
    return done === true ? undefined : [this.#count++, value];
  }

  /** Lets go of what the jobs that nobody took would be made of. */
  async close(): Promise<void> {
    await this.#jobs.return?.();
  }
}

interface ThreadOptions<Job, Output> {
  readonly next: () => Promise<NumberedJob<Job> | undefined>;
  readonly done: (index: number, output: Output) => void;
  readonly signal: AbortSignal;
}

/** One thread until there are no more jobs for it. */
async function runThread<Job, Output>(
  url: URL,
  context: unknown,
  { next, done, signal }: ThreadOptions<Job, Output>,
): Promise<void> {
  const thread = new Thread(url, { data: context });
  const failure = new Promise<never>((_, reject) => {
    thread.onError(reject);
    thread.onExit(() => reject(new ComposefsError('WORKER_EXITED', 'a worker thread ended unexpectedly')));
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // Waited for with each job; what fails between two of them is seen with the next.
  failure.catch(() => undefined);
  try {
    for (let job = await next(); job !== undefined; job = await next()) {
      signal.throwIfAborted();
      const [index, input] = job;
      const reply = await Promise.race([failure, ask<Output>(thread, input)]);
      if (reply.type === 'failed') throw unpackError(reply.error);
      done(index, reply.output);
    }
    const reply = await Promise.race([failure, ask<undefined>(thread, FINISH)]);
    if (reply.type === 'failed') throw unpackError(reply.error);
  } finally {
    await thread.end();
  }
}

function ask<Output>(thread: Thread, job: unknown): Promise<Reply<Output>> {
  thread.post(job);
  return thread.nextMessage();
}

/** In place of a job: there are no more for this thread. */
const FINISH = 'finish';

/**
 * The other side of {@link runInWorkers}: answers every message with what `run` makes of it.
 *
 * @param finish called after the last job, unless a job of this thread has failed.
 */
export function serveJobs<Context, Tool, Job extends object, Output>(
  open: (context: Context) => Tool,
  run: (tool: Tool, job: Job) => Output,
  finish: (tool: Tool) => void = () => undefined,
): void {
  const tool = open(threadData());
  onMessage((job: Job | typeof FINISH) => {
    let reply: Reply<Output | undefined>;
    try {
      reply = { type: 'done', output: job === FINISH ? void finish(tool) : run(tool, job) };
    } catch (error) {
      reply = { type: 'failed', error: packError(error) };
    }
    postToStarter(reply);
  });
}
