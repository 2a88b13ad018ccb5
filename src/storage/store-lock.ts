import { closeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { tryReadLock } from '../linux/record-lock.js';
import type { ContainerStore } from './store.js';

/** A lock that its owner gives up by {@link close}. */
export interface StoreLock {
  close(): void;
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, if somebody else has had the lock for a second. */
  readonly onWait?: (() => void) | undefined;
}

const LONGEST_PAUSE_MS = 20;
const NOTE_AFTER_MS = 1000;

/**
 * Takes the lock under which containers/storage reads the layers or the images of a store (spec 60 §7): until it is
 * given up podman waits before it adds or deletes any. Who takes both takes that of the layers first, as podman does.
 *
 * The file is opened for reading only, and never made: a store that has none was never written to since it is
 * there, or lies on a read-only file system. Waiting blocks no thread.
 *
 * @throws SystemError; AbortError by the signal.
 */
export async function lockStore(
  store: ContainerStore,
  of: 'layers' | 'images',
  { signal, onWait }: LockOptions = {},
): Promise<StoreLock> {
  const fd = store.openLockFile(of);
  if (fd === undefined) return { close: () => undefined };
  try {
    const start = performance.now();
    let isNoted = false;
    for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      signal?.throwIfAborted();
      if (tryReadLock(fd)) break;
      if (!isNoted && performance.now() - start > NOTE_AFTER_MS) {
        isNoted = true;
        onWait?.();
      }
      await setTimeout(pause, undefined, signal === undefined ? {} : { signal });
    }
  } catch (error) {
    closeSync(fd);
    throw signal?.aborted === true ? signal.reason : error;
  }
  return { close: () => closeSync(fd) };
}
