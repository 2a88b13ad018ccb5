import { AsyncLocalStorage } from 'node:async_hooks';
import { ComposefsError } from '../../errors.js';
import { tryFlock } from '../../linux/flock.js';
import { isErrno } from './files.js';
import { waitForFlock } from './wait-for-flock.js';

export interface ExclusiveOptions {
  /** Called just before the shared lock is given up: from then on others may collect garbage. May throw. */
  readonly beforeUnshared: () => void;
  /** Called when the shared lock is held again. */
  readonly afterShared: () => void;
  /** Stops waiting for the exclusive lock. */
  readonly signal: AbortSignal | undefined;
}

/**
 * The lock of an open repository (spec 10 §16): a `flock` on its directory, shared while it is open, exclusive for
 * garbage collection.
 *
 * The kernel's lock keeps processes apart, and instances of one process, but not what one instance does at the same
 * time: that is what {@link share} is for.
 */
export class RepositoryLock {
  readonly #fd: number;
  /** True inside of {@link share}. */
  readonly #isShared = new AsyncLocalStorage<boolean>();
  #sharers = 0;
  #onUnshared: (() => void) | undefined;
  /** Settles when the last exclusive user that was let in or waits is done. */
  #exclusive: Promise<void> | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Waits, without blocking the thread, while another process collects garbage. */
  static async acquire(fd: number, signal?: AbortSignal): Promise<RepositoryLock> {
    await waitForFlock(fd, 'shared', signal);
    return new RepositoryLock(fd);
  }

  /** Runs `action` while nobody of this instance has the lock for itself. May be nested. */
  async share<T>(action: () => Promise<T> | T): Promise<T> {
    // A nested action must not queue behind somebody who waits for the outer one to end.
    if (this.#isShared.getStore() === true) return await action();
    while (this.#exclusive !== undefined) await this.#exclusive;
    this.#sharers++;
    try {
      return await this.#isShared.run(true, async () => await action());
    } finally {
      this.#sharers--;
      if (this.#sharers === 0) this.#onUnshared?.();
    }
  }

  /**
   * Runs `action` with the exclusive lock, when all others have closed the repository. The shared lock is taken again
   * afterwards, whatever happens.
   */
  async exclusive<T>(action: () => Promise<T>, options: ExclusiveOptions): Promise<T> {
    if (this.#isShared.getStore() === true) {
      throw new ComposefsError('DEADLOCK', 'the exclusive lock was asked for inside of what it would have to wait for');
    }
    while (this.#exclusive !== undefined) await this.#exclusive;
    let release: () => void = () => undefined;
    this.#exclusive = new Promise((resolve) => {
      release = resolve;
    });
    try {
      if (this.#sharers > 0) {
        await new Promise<void>((resolve) => {
          this.#onUnshared = resolve;
        });
        this.#onUnshared = undefined;
      }
      options.beforeUnshared();
      try {
        await waitForFlock(this.#fd, 'exclusive', options.signal);
        return await action();
      } finally {
        await waitForFlock(this.#fd, 'shared');
        options.afterShared();
      }
    } finally {
      this.#exclusive = undefined;
      release();
    }
  }

  /** Gives the lock up at once. Closing the directory does that too, unless a child process has inherited it. */
  release(): void {
    try {
      tryFlock(this.#fd, 'unlock');
    } catch (error) {
      if (!isErrno(error, 'FFI_UNAVAILABLE')) throw error;
    }
  }
}
