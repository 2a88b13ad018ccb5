import { parentPort, Worker, workerData } from 'node:worker_threads';
import { ComposefsError } from '../../errors.js';
import { packError, type TransferredError, unpackError } from './error-transfer.js';
import type { RepositoryHost } from './host.js';
import { ObjectStore, type ObjectStoreOptions } from './object-store.js';

/** What another thread needs to work on the same repository: plain data. */
export interface HostOptions {
  readonly path: string;
  readonly store: ObjectStoreOptions;
}

export function hostFrom(options: HostOptions): RepositoryHost {
  return { path: options.path, objects: new ObjectStore(options.store) };
}

type Reply<Output> =
  | { readonly type: 'done'; readonly output: Output }
  | { readonly type: 'failed'; readonly error: TransferredError };

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
 * @param jobs plain data, as are the outputs.
 */
export async function runInWorkers<Job, Output>(
  worker: URL,
  context: unknown,
  jobs: readonly Job[],
  options: WorkerOptions<Output>,
): Promise<Output[]> {
  const { signal } = options;
  signal?.throwIfAborted();
  const pending = [...jobs.entries()].reverse();
  const outputs: Output[] = [];
  const abort = new AbortController();
  const threads = Array.from({ length: Math.max(1, Math.min(options.threads, jobs.length)) }, () =>
    runThread<Job, Output>(worker, context, {
      next: () => pending.pop(),
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
  }
  return outputs;
}

interface JobQueue<Job, Output> {
  readonly next: () => readonly [index: number, job: Job] | undefined;
  readonly done: (index: number, output: Output) => void;
  readonly signal: AbortSignal;
}

/** One thread until there are no more jobs for it. */
async function runThread<Job, Output>(url: URL, context: unknown, queue: JobQueue<Job, Output>): Promise<void> {
  const thread = new Worker(url, { workerData: context });
  try {
    await new Promise<void>((resolve, reject) => {
      let current = queue.next();
      const step = (): void => {
        if (current === undefined) resolve();
        else thread.postMessage(current[1]);
      };
      thread.on('message', (reply: Reply<Output>) => {
        if (reply.type === 'failed') return reject(unpackError(reply.error));
        if (current !== undefined) queue.done(current[0], reply.output);
        current = queue.next();
        step();
      });
      thread.on('error', reject);
      thread.on('exit', () => reject(new ComposefsError('WORKER_EXITED', 'a worker thread ended unexpectedly')));
      queue.signal.addEventListener('abort', () => reject(queue.signal.reason), { once: true });
      step();
    });
  } finally {
    await thread.terminate();
  }
}

/** The other side of {@link runInWorkers}: answers every message with what `run` makes of it. */
export function serveJobs<Context, Tool, Job, Output>(
  open: (context: Context) => Tool,
  run: (tool: Tool, job: Job) => Output,
): void {
  const port = parentPort;
  if (port === null) throw new ComposefsError('NOT_A_WORKER', 'this module runs in a worker thread only');
  const tool = open(workerData);
  port.on('message', (job: Job) => {
    let reply: Reply<Output>;
    try {
      reply = { type: 'done', output: run(tool, job) };
    } catch (error) {
      reply = { type: 'failed', error: packError(error) };
    }
    port.postMessage(reply);
  });
}
