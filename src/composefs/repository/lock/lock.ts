import { AsyncLocalStorage } from 'node:async_hooks';
import { ComposefsError } from '../../../errors.js';
import { isErrno } from '../../../fs/files.js';
import { waitForFlock } from '../../../fs/wait-for-flock.js';
import { isOnlyLockHolder, type LockHolder } from '../../../linux/file-locks.js';
import { type LockMode, tryFlock } from '../../../linux/flock.js';
import type { ProgressReporter } from '../../../progress.js';
import { untilAborted } from '../../../threads/until-aborted.js';
import type { RepositoryRoot } from '../directory/root.js';

export interface LockOptions {
  /** Stops waiting for the lock. */
  readonly signal?: AbortSignal | undefined;
  /** Gets a warning that says who has it, if that takes longer than a second. */
  readonly progress?: ProgressReporter | undefined;
}

export interface ExclusiveOptions extends LockOptions {
  /** Called just before the shared lock is given up: from then on others may collect garbage. May throw. */
  readonly beforeUnshared: () => void;
  /** Called when the shared lock is held again. */
  readonly afterShared: () => void;
}

/** What the caller is a part of: `use` only keeps the repository open. */
type Inside = 'use' | 'shared' | 'exclusive';

/**
 * The lock of an open repository (spec 10 §16): a `flock` on its directory, shared while it is open, exclusive for
 * garbage collection.
 *
 * The kernel's lock keeps processes apart, and instances of one process, but not what one instance does at the same
 * time: that is what {@link share} is for. It also knows what still runs when the repository is to be closed.
 */
export class RepositoryLock {
  #root: RepositoryRoot | undefined;
  readonly #inside = new AsyncLocalStorage<Inside>();
  #users = 0;
  #sharers = 0;
  #onUnshared: (() => void) | undefined;
  /** Settles when the last exclusive user that was let in or waits is done. */
  #exclusive: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  /** Takes the shared lock. Waits, without blocking the thread, while another process collects garbage. */
  async acquire(root: RepositoryRoot, options: LockOptions = {}): Promise<void> {
    await take(root, 'shared', options);
    this.#root = root;
  }

  /** Whether the caller is a part of what {@link use}, {@link share} or {@link exclusive} runs. */
  get isInside(): boolean {
    return this.#inside.getStore() !== undefined;
  }

  /**
   * Runs `action`, which reads: the repository is not closed before its end. A collection may run meanwhile.
   *
   * @throws RepositoryClosedError
   */
  async use<T>(action: () => Promise<T>): Promise<T> {
    if (this.isInside) return await action();
    this.#requireOpen();
    this.#users++;
    try {
      return await this.#inside.run('use', action);
    } finally {
      this.#users--;
      this.#checkIdle();
    }
  }

  /**
   * Runs `action` while nobody of this instance has the lock for itself. May be nested.
   *
   * @throws RepositoryClosedError
   */
  async share<T>(action: () => Promise<T> | T): Promise<T> {
    // A nested action must not queue behind somebody who waits for the outer one to end.
    if (this.#hasLock) return await action();
    this.#requireOpen();
    while (this.#exclusive !== undefined) await this.#exclusive;
    this.#requireOpen();
    this.#sharers++;
    try {
      return await this.#inside.run('shared', async () => await action());
    } finally {
      this.#sharers--;
      if (this.#sharers === 0) this.#onUnshared?.();
      this.#checkIdle();
    }
  }

  /**
   * Runs `action` with the exclusive lock, when all others have closed the repository. The shared lock is taken again
   * afterwards, whatever happens.
   *
   * @throws RepositoryClosedError
   */
  async exclusive<T>(action: () => Promise<T>, options: ExclusiveOptions): Promise<T> {
    if (this.#hasLock) {
      throw new ComposefsError('DEADLOCK', 'the exclusive lock was asked for inside of what it would have to wait for');
    }
    this.#requireOpen();
    while (this.#exclusive !== undefined) await untilAborted(this.#exclusive, options.signal);
    options.signal?.throwIfAborted();
    const root = this.#requireOpen();
    let release: () => void = () => undefined;
    this.#exclusive = new Promise((resolve) => {
      release = resolve;
    });
    try {
      if (this.#sharers > 0) {
        const unshared = new Promise<void>((resolve) => {
          this.#onUnshared = resolve;
        });
        try {
          await untilAborted(unshared, options.signal);
        } finally {
          this.#onUnshared = undefined;
        }
      }
      return await this.#inside.run('exclusive', () => alone(root, action, options));
    } finally {
      this.#exclusive = undefined;
      release();
      this.#checkIdle();
    }
  }

  /**
   * Runs `action` with the exclusive lock, if that can be had at once: nobody else has the repository open, and nothing
   * else of this instance runs.
   *
   * The kernel makes a shared lock exclusive in one step where there is no other holder; where there is one, the shared
   * lock is lost, and taken again. So the kernel's list is asked first. A holder that is not in the list, from another
   * PID namespace, or that has come just now leaves a moment without a lock, in which a collector that waits could
   * begin. Nothing that this instance stores is without its names then.
   *
   * @returns false if it was not possible.
   */
  async tryExclusive(
    action: () => Promise<void>,
    { beforeUnshared, afterShared }: Pick<ExclusiveOptions, 'beforeUnshared' | 'afterShared'>,
  ): Promise<boolean> {
    const root = this.#root;
    if (root === undefined || root.isClosing || this.isInside) return false;
    if (this.#users > 0 || this.#sharers > 0 || this.#exclusive !== undefined) return false;
    const isExclusive = takeFromShared(root.fd);
    if (isExclusive === undefined) return false;
    if (isExclusive) {
      let release: () => void = () => undefined;
      this.#exclusive = new Promise((resolve) => {
        release = resolve;
      });
      beforeUnshared();
      try {
        await this.#inside.run('exclusive', action);
      } finally {
        tryFlock(root.fd, 'shared');
        afterShared();
        this.#exclusive = undefined;
        release();
        this.#checkIdle();
      }
    } else if (!tryFlock(root.fd, 'shared')) {
      this.#exclusive = waitForFlock(root.fd, 'shared').finally(() => {
        this.#exclusive = undefined;
        this.#checkIdle();
      });
      await this.#exclusive;
    }
    return isExclusive;
  }

  /** Calls `action` when nothing runs any more: now, or later. Nothing new is to be begun meanwhile. */
  whenIdle(action: () => void): void {
    this.#onIdle = action;
    this.#checkIdle();
  }

  /** Gives the lock up at once. Closing the directory does that too, unless a child process has inherited it. */
  release(): void {
    try {
      tryFlock(this.#requireOpen().fd, 'unlock');
    } catch (error) {
      if (!isErrno(error, 'FFI_UNAVAILABLE')) throw error;
    }
  }

  get #hasLock(): boolean {
    const inside = this.#inside.getStore();
    return inside === 'shared' || inside === 'exclusive';
  }

  #checkIdle(): void {
    if (this.#users > 0 || this.#sharers > 0 || this.#exclusive !== undefined) return;
    const action = this.#onIdle;
    this.#onIdle = undefined;
    if (action !== undefined) this.#inside.run('exclusive', action);
  }

  #requireOpen(): RepositoryRoot {
    if (this.#root === undefined) throw new ComposefsError('INTERNAL', 'the lock of a repository that is not open');
    this.#root.requireOpen();
    return this.#root;
  }
}

/** Undefined: not tried, and the shared lock is held still. */
function takeFromShared(fd: number): boolean | undefined {
  try {
    return isOnlyLockHolder(fd) ? tryFlock(fd, 'exclusive') : undefined;
  } catch (error) {
    if (isErrno(error, 'FFI_UNAVAILABLE')) return undefined;
    throw error;
  }
}

async function alone<T>(root: RepositoryRoot, action: () => Promise<T>, options: ExclusiveOptions): Promise<T> {
  options.beforeUnshared();
  try {
    await take(root, 'exclusive', options);
    return await action();
  } finally {
    await take(root, 'shared');
    options.afterShared();
  }
}

async function take(root: RepositoryRoot, mode: LockMode, { signal, progress }: LockOptions = {}): Promise<void> {
  const onWait = (holders: readonly LockHolder[]): void => {
    const who = holders.map(({ pid, name }) => `${name === '' ? 'process' : name} ${pid}`).join(', ');
    const what = mode === 'exclusive' ? 'has the repository open' : 'collects garbage in the repository';
    const text = `waiting: ${who === '' ? 'another process' : who} ${what}`;
    progress?.report({ type: 'message', level: 'warning', text });
  };
  await waitForFlock(root.fd, mode, { signal, onWait });
}
