import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ResourceLimits, type TransferListItem, Worker } from 'node:worker_threads';
import { ComposefsError } from '../errors.js';
import { TerminationLock } from './termination-lock.js';
import type { ThreadData } from './thread-side.js';

export interface ThreadOptions {
  /** Plain data for the thread: {@link threadData} gives it there. */
  readonly data?: unknown;
  readonly resourceLimits?: ResourceLimits;
  /** False: Node does not watch which descriptors the thread opens. */
  readonly trackUnmanagedFds?: boolean;
}

/** How long a thread that is asked to end may go on with what it is doing. */
const END_PATIENCE_MS = 100;

/** How often it is looked whether a thread can be ended. */
const LOCK_INTERVAL_MS = 2;

/** Loading a library from a slow disk can take long. After that long the process ends, whatever comes of it. */
const EXIT_PATIENCE_MS = 5000;

/**
 * A worker thread that can be ended at any time without harm to the process. Its module calls {@link onMessage},
 * or {@link threadIsReady} if it takes no messages.
 *
 * It is asked to end by message, which it hears when it returns to its event loop. One that does not is terminated, as
 * soon as its {@link TerminationLock} allows it.
 */
export class Thread {
  readonly #worker: Worker;
  readonly #lock = new TerminationLock();
  readonly #exited: Promise<void>;
  #hasExited = false;

  constructor(module: URL, { data, ...options }: ThreadOptions = {}) {
    requireModule(module);
    const workerData: ThreadData = { terminationLock: this.#lock.buffer, data };
    this.#worker = new Worker(module, { ...options, workerData });
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#hasExited = true;
        forget(this);
        resolve();
      });
    });
    remember(this);
  }

  onMessage<Message>(listener: (message: Message) => void): this {
    this.#worker.on('message', listener);
    return this;
  }

  /** Called when the thread dies of an error; {@link onExit} follows. */
  onError(listener: (error: unknown) => void): this {
    this.#worker.on('error', listener);
    return this;
  }

  onExit(listener: (status: number) => void): this {
    this.#worker.on('exit', listener);
    return this;
  }

  /** @param transfer what of the message changes hands. */
  post(message: unknown, transfer: readonly TransferListItem[] = []): void {
    this.#worker.postMessage({ message }, transfer);
  }

  /** The thread keeps the process alive: so it is at the beginning. */
  ref(): void {
    this.#worker.ref();
  }

  unref(): void {
    this.#worker.unref();
  }

  /** Resolves when the thread is gone. Work that is under way is given up. */
  async end(): Promise<void> {
    if (this.#hasExited) return;
    this.#worker.ref();
    this.#worker.postMessage({ end: true });
    const patience = setTimeout(() => this.#terminate(), END_PATIENCE_MS);
    await this.#exited;
    clearTimeout(patience);
  }

  /** Before the process ends, and Node ends its threads without asking. */
  prepareForExit(milliseconds: number): void {
    this.#lock.takeWithin(milliseconds);
  }

  #terminate(): void {
    if (this.#hasExited) return;
    if (this.#lock.tryTake()) void this.#worker.terminate();
    else setTimeout(() => this.#terminate(), LOCK_INTERVAL_MS);
  }
}

const living = new Set<Thread>();

function remember(thread: Thread): void {
  if (living.size === 0) process.on('exit', waitForLocks);
  living.add(thread);
}

function forget(thread: Thread): void {
  living.delete(thread);
  if (living.size === 0) process.off('exit', waitForLocks);
}

function waitForLocks(): void {
  const deadline = performance.now() + EXIT_PATIENCE_MS;
  for (const thread of living) thread.prepareForExit(Math.max(0, deadline - performance.now()));
}

/** A program that was bundled has its threads elsewhere, and Node says so only when one has started. */
function requireModule(module: URL): void {
  const path = fileURLToPath(module);
  if (existsSync(path)) return;
  throw new ComposefsError('WORKER_MISSING', `there is no ${path}, which threads run`, {
    hint: 'a bundle leaves composefs-oci out, or has the files of its dist/lib beside it: see docs/bundlers.md',
  });
}
