import { availableParallelism } from 'node:os';
import { ComposefsError } from '../../errors.js';
import type { ProgressEvent } from '../../progress.js';
import { unpackError } from '../../threads/error-transfer.js';
import { Thread } from '../../threads/thread.js';
import type { RunRequest, WorkerReply, WorkerRequest } from './protocol.js';
import type { TaskName, Tasks } from './tasks.js';

export interface RunOptions {
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Asks the task to stop; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A small young generation: what passes through are buffers, which live shortly and count as external memory. Collected
 * early they cost no collections of the whole heap, and a quarter of the memory.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 3 };

/** How long a task may take to notice that it is to stop. */
const ABORT_PATIENCE_MS = 200;

interface Job {
  readonly request: RunRequest;
  readonly options: RunOptions;
  readonly resolve: (output: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A few worker threads that run {@link Tasks}, one at a time each, in the order of the calls. Threads start when
 * there is work for them and stay until {@link close}.
 */
export class WorkerPool {
  /** How many threads there are at most. */
  readonly size: number;
  readonly #idle: Thread[] = [];
  readonly #busy = new Map<Thread, Job>();
  readonly #waiting: Job[] = [];
  #nextId = 1;
  #closed = false;

  constructor(size: number = availableParallelism()) {
    this.size = Math.max(1, size);
  }

  run<Name extends TaskName>(
    task: Name,
    input: Tasks[Name]['input'],
    options: RunOptions = {},
  ): Promise<Tasks[Name]['output']> {
    if (this.#closed) return Promise.reject(new ComposefsError('POOL_CLOSED', 'the worker pool is closed'));
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      // The union of all requests cannot be narrowed by a type parameter.
      const request = { type: 'run', id: this.#nextId++, task, input } as RunRequest;
      const onAbort = (): void => this.#abort(request.id);
      const settle =
        <T>(finish: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener('abort', onAbort);
          finish(value);
        };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push({ request, options, resolve: settle(resolve), reject: settle(reject) });
      this.#dispatch();
    });
  }

  /** Stops all threads; running tasks are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new ComposefsError('POOL_CLOSED', 'the worker pool was closed');
    for (const job of this.#waiting.splice(0)) job.reject(error);
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()];
    for (const job of this.#busy.values()) job.reject(error);
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.end()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? (this.#busy.size < this.size ? this.#start() : undefined);
      if (worker === undefined) return;
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#busy.set(worker, job);
      worker.ref();
      worker.post(job.request);
    }
  }

  #start(): Thread {
    const worker = new Thread(new URL('./worker.js', import.meta.url), { resourceLimits: RESOURCE_LIMITS });
    return worker
      .onMessage((reply: WorkerReply) => this.#receive(worker, reply))
      .onError((error) => this.#fail(worker, error))
      .onExit((status) => {
        this.#fail(
          worker,
          new ComposefsError('WORKER_EXITED', `a worker thread ended unexpectedly (status ${status})`),
        );
      });
  }

  #receive(worker: Thread, reply: WorkerReply): void {
    const job = this.#busy.get(worker);
    if (job === undefined || job.request.id !== reply.id) return;
    if (reply.type === 'progress') {
      job.options.onProgress?.(reply.event);
      return;
    }
    this.#busy.delete(worker);
    this.#idle.push(worker);
    // An idle thread must not keep the process alive.
    worker.unref();
    if (reply.type === 'failed') {
      const { signal } = job.options;
      job.reject(signal?.aborted === true ? signal.reason : unpackError(reply.error));
    } else {
      job.resolve(reply.output as never);
    }
    this.#dispatch();
  }

  /** A thread that is gone takes its task with it; the others go on. */
  #fail(worker: Thread, error: unknown): void {
    const job = this.#busy.get(worker);
    this.#busy.delete(worker);
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    job?.reject(job.options.signal?.aborted === true ? job.options.signal.reason : error);
    if (!this.#closed) this.#dispatch();
  }

  /** Asks a task to stop. One that computes without a pause cannot hear that: its thread is ended. */
  #stop(worker: Thread, job: Job): void {
    worker.post({ type: 'abort', id: job.request.id } satisfies WorkerRequest);
    const terminate = (): void => {
      if (this.#busy.get(worker) === job) void worker.end();
    };
    setTimeout(terminate, ABORT_PATIENCE_MS).unref();
  }

  #abort(id: number): void {
    const index = this.#waiting.findIndex((job) => job.request.id === id);
    if (index >= 0) {
      const [job] = this.#waiting.splice(index, 1);
      job?.reject(job.options.signal?.reason);
      return;
    }
    for (const [worker, job] of this.#busy) {
      if (job.request.id === id) this.#stop(worker, job);
    }
  }
}
