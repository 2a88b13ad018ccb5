import type { RunOptions } from '../../../threads/pool.js';
import type { ImportPool } from './import-pool.js';
import { IMPORT_TASKS } from './task-handlers.js';
import type { ImportTasks } from './tasks.js';

/**
 * A thread is not worth its start for so few bytes of blobs. Not for more: 6 MB may be 400,000 files that compress well, for
 * which two threads take half as long.
 */
const SMALL_PULL_BYTES = 4 << 20;

/**
 * Lets the thread that asks for an import do a part of it: a program that has nothing else to do meanwhile needs one thread
 * less. Each costs 25 to 60 ms of processor time until it runs, and V8 compiles and optimizes all code in each of them anew.
 * A pull of few bytes needs no other thread at all, and its layers are stored one after the other.
 *
 * One task at a time runs here. Tasks are asynchronous, and pause every few milliseconds for what else there is to do.
 */
export class OwnThreadPool implements ImportPool {
  readonly #threads: ImportPool;
  /** The last task that runs here, or waits for that. */
  #last: Promise<unknown> = Promise.resolve();
  #tasks = 0;
  #isSmall = false;

  constructor(threads: ImportPool) {
    this.#threads = threads;
  }

  get size(): number {
    return this.#isSmall ? 1 : this.#threads.size;
  }

  get isIdle(): boolean {
    return this.#threads.isIdle;
  }

  /** Tells how many bytes of blobs are to be stored. */
  /** Whether a pull of so many bytes needs no other thread. */
  expect(bytes: number): boolean {
    this.#isSmall = bytes <= SMALL_PULL_BYTES;
    return this.#isSmall;
  }

  run<Name extends keyof ImportTasks>(
    task: Name,
    input: ImportTasks[Name]['input'],
    options: RunOptions = {},
  ): Promise<ImportTasks[Name]['output']> {
    return this.#isForThisThread(task) ? this.#runHere(task, input, options) : this.#threads.run(task, input, options);
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }

  #isForThisThread(task: keyof ImportTasks): boolean {
    switch (task) {
      case 'store-layer':
      case 'store-files':
        return this.#isSmall || this.#tasks === 0;
      case 'build-images':
        // A thread that has stored a layer is faster than one that is to be started.
        return !this.#threads.isIdle;
      default:
        return false;
    }
  }

  async #runHere<Name extends keyof ImportTasks>(
    task: Name,
    input: ImportTasks[Name]['input'],
    { signal = new AbortController().signal, onProgress = () => undefined }: RunOptions,
  ): Promise<ImportTasks[Name]['output']> {
    this.#tasks++;
    const own = this.#last.then(async () => {
      signal.throwIfAborted();
      return await IMPORT_TASKS[task](input, { signal, report: onProgress });
    });
    this.#last = own.catch(() => undefined);
    try {
      return await own;
    } finally {
      this.#tasks--;
    }
  }
}
