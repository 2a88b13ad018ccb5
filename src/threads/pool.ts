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
  /** When so many threads are busy, tasks that may share one do so. Default: when all are. */
  readonly sharedThreads?: number;
}

export interface RunOptions {
  readonly onProgress?: (event: ProgressEvent) => void;
  /**
   * Asks the task to stop; the promise then rejects with the signal's reason. If it does not hear that, its thread is
   * ended, with all that runs in it.
   */
  readonly signal?: AbortSignal | undefined;
  /** The task often waits for others than its thread: another one like it may run there meanwhile. */
  readonly sharesThread?: boolean;
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
 * Threads that run tasks, one at a time each but for those that share one, in the order of the calls. They start when
 * there is work for them and stay until {@link close}. Their module calls `serveTasks` with the same table.
 */
export class ThreadPool<Tasks extends TaskTable<Tasks>> {
  /** How many threads there are at most. */
  readonly size: number;
  readonly #module: URL;
  readonly #options: PoolOptions;
  readonly #idle: Thread[] = [];
  /** The threads that run something, with what they run. */
  readonly #busy = new Map<Thread, Job[]>();
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

  /**
   * Runs a task in the next thread that is free.
   *
   * @throws what the task throws; the reason of the signal; ComposefsError `POOL_CLOSED`, `WORKER_EXITED`, `WORKER_MISSING`.
   */
  run<Name extends keyof Tasks & string>(
    task: Name,
    input: Tasks[Name]['input'],
    options: RunOptions = {},
  ): Promise<Tasks[Name]['output']> {
    return this.#enqueue(task, input, options, () => this.#dispatch());
  }

  /**
   * Runs a task once in each thread that has started: for what they keep.
   *
   * @throws ComposefsError `INTERNAL` while one of them is at work.
   */
  async runInEach<Name extends keyof Tasks & string>(task: Name, input: Tasks[Name]['input']): Promise<void> {
    if (this.#busy.size > 0) throw new ComposefsError('INTERNAL', 'a thread of the pool is at work');
    const threads = this.#idle.splice(0);
    await Promise.all(threads.map((thread) => this.#enqueue(task, input, {}, () => this.#startLast(thread))));
  }

  /** Ends all threads; running tasks are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new ComposefsError('POOL_CLOSED', 'the worker pool was closed');
    for (const job of this.#waiting.splice(0)) job.reject(error);
    const threads = [...this.#idle.splice(0), ...this.#busy.keys()];
    for (const job of [...this.#busy.values()].flat()) job.reject(error);
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
    for (let job = this.#waiting[0]; job !== undefined; job = this.#waiting[0]) {
      const thread = this.#threadFor(job);
      if (thread === undefined) return;
      this.#waiting.shift();
      this.#start(thread, job);
    }
  }

  /** Undefined if the job has to wait. */
  #threadFor({ options }: Job): Thread | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const enough = Math.min(this.#options.sharedThreads ?? Number.POSITIVE_INFINITY, this.size);
    const shared = options.sharesThread === true && this.#busy.size >= enough ? this.#leastShared() : undefined;
    return shared ?? (this.#busy.size < this.size ? this.#newThread() : undefined);
  }

  #leastShared(): Thread | undefined {
    const shared = [...this.#busy].filter(([, jobs]) => jobs.every(({ options }) => options.sharesThread === true));
    return shared.sort(([, one], [, other]) => one.length - other.length)[0]?.[0];
  }

  #startLast(thread: Thread): void {
    const job = this.#waiting.pop();
    if (job !== undefined) this.#start(thread, job);
  }

  #start(thread: Thread, job: Job): void {
    const jobs = this.#busy.get(thread);
    if (jobs === undefined) this.#busy.set(thread, [job]);
    else jobs.push(job);
    thread.ref();
    try {
      thread.post(job.request, job.options.transfer);
    } catch (error) {
      this.#ended(thread, job);
      job.reject(error);
    }
  }

  /** The thread is done with the job. */
  #ended(thread: Thread, job: Job): void {
    const others = this.#jobsOf(thread).filter((other) => other !== job);
    if (others.length > 0) {
      this.#busy.set(thread, others);
      return;
    }
    this.#busy.delete(thread);
    this.#idle.push(thread);
    // An idle thread must not keep the process alive.
    thread.unref();
  }

  #jobsOf(thread: Thread): readonly Job[] {
    return this.#busy.get(thread) ?? [];
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
    const job = this.#jobsOf(thread).find(({ request }) => request.id === reply.id);
    if (job === undefined) return;
    if (reply.type === 'progress') {
      job.options.onProgress?.(reply.event);
      return;
    }
    this.#ended(thread, job);
    if (reply.type === 'failed') {
      const { signal } = job.options;
      job.reject(signal?.aborted === true ? signal.reason : unpackError(reply.error));
    } else {
      job.resolve(reply.output as never);
    }
    this.#dispatch();
  }

  /** A thread that is gone takes its tasks with it; the others go on. */
  #fail(thread: Thread, error: unknown): void {
    const jobs = this.#jobsOf(thread);
    this.#busy.delete(thread);
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
    for (const { options, reject } of jobs) reject(options.signal?.aborted === true ? options.signal.reason : error);
    if (!this.#closed) this.#dispatch();
  }

  #abort(id: number): void {
    const index = this.#waiting.findIndex((job) => job.request.id === id);
    if (index >= 0) {
      const [job] = this.#waiting.splice(index, 1);
      job?.reject(job.options.signal?.reason);
      return;
    }
    for (const [thread, jobs] of this.#busy) {
      const job = jobs.find(({ request }) => request.id === id);
      if (job !== undefined) this.#stop(thread, job);
    }
  }

  /** Asks a task to stop. One that computes without a pause cannot hear that: its thread is ended. */
  #stop(thread: Thread, job: Job): void {
    thread.post({ type: 'abort', id: job.request.id } satisfies TaskRequest);
    const terminate = (): void => {
      if (this.#jobsOf(thread).includes(job)) void thread.end();
    };
    setTimeout(terminate, ABORT_PATIENCE_MS).unref();
  }
}
