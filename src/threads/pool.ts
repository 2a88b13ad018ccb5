import type { ResourceLimits, TransferListItem } from 'node:worker_threads';
import { ComposefsError } from '../errors.js';
import type { ProgressEvent } from '../progress.js';
import { unpackError } from './error-transfer.js';
import type { TaskReply, TaskRequest } from './tasks.js';
import { Thread } from './thread.js';

/** The tasks of a pool by their names. Inputs and outputs cross threads: plain data, and what can be transferred. */
export type TaskTable<Tasks> = {
  readonly [Name in keyof Tasks]: { readonly input: unknown; readonly output: unknown };
};

export interface PoolOptions {
  /** Plain data for each thread: `threadData()` gives it there. */
  readonly data?: unknown;
  readonly resourceLimits?: ResourceLimits;
}

export interface RunOptions {
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Asks the task to stop; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** What of the input changes hands. */
  readonly transfer?: readonly TransferListItem[];
}

/** How long a task may take to notice that it is to stop. */
const ABORT_PATIENCE_MS = 200;

interface Job {
  readonly request: TaskRequest & { readonly type: 'run' };
  readonly options: RunOptions;
  readonly resolve: (output: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Threads that run tasks, one at a time each, in the order of the calls. They start when there is work for them and stay
 * until {@link close}. Their module calls `serveTasks` with the same table.
 */
export class ThreadPool<Tasks extends TaskTable<Tasks>> {
  /** How many threads there are at most. */
  readonly size: number;
  readonly #module: URL;
  readonly #options: PoolOptions;
  readonly #idle: Thread[] = [];
  readonly #busy = new Map<Thread, Job>();
  readonly #waiting: Job[] = [];
  #nextId = 1;
  #closed = false;

  constructor(module: URL, size: number, options: PoolOptions = {}) {
    this.size = Math.max(1, size);
    this.#module = module;
    this.#options = options;
  }

  /** Whether a thread has started and has nothing to do. */
  get isIdle(): boolean {
    return this.#idle.length > 0;
  }

  run<Name extends keyof Tasks & string>(
    task: Name,
    input: Tasks[Name]['input'],
    options: RunOptions = {},
  ): Promise<Tasks[Name]['output']> {
    return this.#enqueue(task, input, options, () => this.#dispatch());
  }

  /** Runs a task once in each thread that has started, when all have ended what they do. For what they keep. */
  async runInEach<Name extends keyof Tasks & string>(task: Name, input: Tasks[Name]['input']): Promise<void> {
    const threads = [...this.#idle.splice(0), ...this.#busy.keys()];
    if (this.#busy.size > 0) throw new ComposefsError('INTERNAL', 'a thread of the pool is at work');
    await Promise.all(
      threads.map((thread) => this.#enqueue(task, input, {}, () => this.#start(thread, this.#waiting.pop()))),
    );
  }

  /** Ends all threads; running tasks are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new ComposefsError('POOL_CLOSED', 'the worker pool was closed');
    for (const job of this.#waiting.splice(0)) job.reject(error);
    const threads = [...this.#idle.splice(0), ...this.#busy.keys()];
    for (const job of this.#busy.values()) job.reject(error);
    this.#busy.clear();
    await Promise.all(threads.map((thread) => thread.end()));
  }

  #enqueue<Name extends keyof Tasks & string>(
    task: Name,
    input: Tasks[Name]['input'],
    options: RunOptions,
    start: () => void,
  ): Promise<Tasks[Name]['output']> {
    if (this.#closed) return Promise.reject(new ComposefsError('POOL_CLOSED', 'the worker pool is closed'));
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const request = { type: 'run', id: this.#nextId++, task, input } as const;
      const onAbort = (): void => this.#abort(request.id);
      const settle =
        <T>(finish: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener('abort', onAbort);
          finish(value);
        };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push({ request, options, resolve: settle(resolve), reject: settle(reject) });
      start();
    });
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idle.pop() ?? (this.#busy.size < this.size ? this.#newThread() : undefined);
      if (thread === undefined) return;
      this.#start(thread, this.#waiting.shift());
    }
  }

  #start(thread: Thread, job: Job | undefined): void {
    if (job === undefined) return;
    this.#busy.set(thread, job);
    thread.ref();
    try {
      thread.post(job.request, job.options.transfer);
    } catch (error) {
      this.#busy.delete(thread);
      this.#idle.push(thread);
      thread.unref();
      job.reject(error);
    }
  }

  #newThread(): Thread {
    const thread = new Thread(this.#module, this.#options);
    return thread
      .onMessage((reply: TaskReply) => this.#receive(thread, reply))
      .onError((error) => this.#fail(thread, error))
      .onExit((status) => {
        this.#fail(
          thread,
          new ComposefsError('WORKER_EXITED', `a worker thread ended unexpectedly (status ${status})`),
        );
      });
  }

  #receive(thread: Thread, reply: TaskReply): void {
    const job = this.#busy.get(thread);
    if (job === undefined || job.request.id !== reply.id) return;
    if (reply.type === 'progress') {
      job.options.onProgress?.(reply.event);
      return;
    }
    this.#busy.delete(thread);
    this.#idle.push(thread);
    // An idle thread must not keep the process alive.
    thread.unref();
    if (reply.type === 'failed') {
      const { signal } = job.options;
      job.reject(signal?.aborted === true ? signal.reason : unpackError(reply.error));
    } else {
      job.resolve(reply.output as never);
    }
    this.#dispatch();
  }

  /** A thread that is gone takes its task with it; the others go on. */
  #fail(thread: Thread, error: unknown): void {
    const job = this.#busy.get(thread);
    this.#busy.delete(thread);
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
    job?.reject(job.options.signal?.aborted === true ? job.options.signal.reason : error);
    if (!this.#closed) this.#dispatch();
  }

  #abort(id: number): void {
    const index = this.#waiting.findIndex((job) => job.request.id === id);
    if (index >= 0) {
      const [job] = this.#waiting.splice(index, 1);
      job?.reject(job.options.signal?.reason);
      return;
    }
    for (const [thread, job] of this.#busy) {
      if (job.request.id === id) this.#stop(thread, job);
    }
  }

  /** Asks a task to stop. One that computes without a pause cannot hear that: its thread is ended. */
  #stop(thread: Thread, job: Job): void {
    thread.post({ type: 'abort', id: job.request.id } satisfies TaskRequest);
    const terminate = (): void => {
      if (this.#busy.get(thread) === job) void thread.end();
    };
    setTimeout(terminate, ABORT_PATIENCE_MS).unref();
  }
}
