import { fstatSync } from 'node:fs';
import type { Repository } from '../../composefs/repository/repository.js';
import { untilAborted } from '../../threads/until-aborted.js';

/** What this process is doing to repositories, through whichever instances, by repository and name. */
export class OneAtATime<T> {
  readonly #running = new Map<string, Promise<T>>();

  /**
   * Does something unless it is being done already; then waits for that, and takes its result. Where that fails, however
   * it fails, who has waited does it in his turn: so one who is stopped takes nobody along.
   *
   * Not to be nested with names in another order.
   *
   * @returns `release` for the caller that has done it: until it is called, whoever asks gets the result without another
   *   look at the repository.
   * @throws the reason of the signal, if that comes while it waits; what `action` throws
   */
  async run(
    repo: Repository,
    name: string,
    signal: AbortSignal | undefined,
    action: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly release: (() => void) | undefined }> {
    const key = keyOf(repo, name);
    for (let other = this.#running.get(key); other !== undefined; other = this.#running.get(key)) {
      const outcome = await untilAborted(settled(other), signal);
      if ('result' in outcome) return { result: outcome.result, release: undefined };
    }
    signal?.throwIfAborted();
    const own = action();
    this.#running.set(key, own);
    try {
      return { result: await own, release: () => this.#end(key, own) };
    } catch (error) {
      this.#end(key, own);
      throw error;
    }
  }

  /** {@link run} for what everybody does himself, after the others and not with them. */
  async inTurn<Own extends T>(
    repo: Repository,
    name: string,
    signal: AbortSignal | undefined,
    action: () => Promise<Own>,
  ): Promise<Own> {
    const key = keyOf(repo, name);
    for (let other = this.#running.get(key); other !== undefined; other = this.#running.get(key)) {
      await untilAborted(settled(other), signal);
    }
    signal?.throwIfAborted();
    const own = action();
    this.#running.set(key, own);
    try {
      return await own;
    } finally {
      this.#end(key, own);
    }
  }

  #end(key: string, own: Promise<T>): void {
    if (this.#running.get(key) === own) this.#running.delete(key);
  }
}

/** What the descriptors of repositories are open on never changes. */
const directories = new WeakMap<Repository, string>();

function keyOf(repo: Repository, name: string): string {
  let directory = directories.get(repo);
  if (directory === undefined) {
    const { dev, ino } = fstatSync(repo.root.fd, { bigint: true });
    directory = `${dev}:${ino}`;
    directories.set(repo, directory);
  }
  return `${directory} ${name}`;
}

async function settled<T>(promise: Promise<T>): Promise<{ readonly result: T } | { readonly error: unknown }> {
  try {
    return { result: await promise };
  } catch (error) {
    return { error };
  }
}
