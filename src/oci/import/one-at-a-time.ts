import { fstatSync } from 'node:fs';
import type { Repository } from '../../composefs/repository/repository.js';

/** What is being done, by repository and key; settles, and never fails, when it has ended. */
const running = new Map<string, Promise<void>>();

/**
 * Does something that must not be done twice at once to a repository by this process, through whichever instance: who comes later waits until the first has ended,
 * however it ended, and then looks for what it has left. So one who is stopped or fails takes nobody along.
 *
 * Not to be nested with keys in another order.
 *
 * @param action is told whether it had to wait.
 * @throws the reason of the signal, if that comes while it waits; what `action` throws
 */
export async function oneAtATime<T>(
  repo: Repository,
  name: string,
  signal: AbortSignal | undefined,
  action: (waited: boolean) => Promise<T>,
): Promise<T> {
  const { dev, ino } = fstatSync(repo.root.fd, { bigint: true });
  const key = `${dev}:${ino} ${name}`;
  let waited = false;
  for (let other = running.get(key); other !== undefined; other = running.get(key)) {
    waited = true;
    await untilAborted(other, signal);
  }
  signal?.throwIfAborted();
  let end = (): void => undefined;
  running.set(
    key,
    new Promise((resolve) => {
      end = resolve;
    }),
  );
  try {
    return await action(waited);
  } finally {
    running.delete(key);
    end();
  }
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
