import type { ObjectStore } from '../../../composefs/repository/objects/object-store.js';
import type { HelpedQueue } from './helped-queue.js';

/** Moments of `process.hrtime.bigint()`, which is one clock for all threads. */
export interface NamingTimes {
  /** All objects of the layer had their names by then. A sync that begins later makes these last. */
  readonly namedAt: bigint;
  /** When a sync began. It makes last what had its name before. */
  readonly syncedAt: bigint;
}

/**
 * Gives their names to the objects of a layer, those too that other threads have stored, after one sync that brings the
 * data of all to disk. With fs-verity objects have got their names as they were stored; then the sync makes these last.
 *
 * @param queue undefined where no other thread has helped.
 */
export async function nameObjects(objects: ObjectStore, queue: HelpedQueue | undefined): Promise<NamingTimes> {
  const storedAt = process.hrtime.bigint();
  const syncedAt = process.hrtime.bigint();
  // A sync can take long, and the thread may have other layers.
  await objects.whenSynced();
  const helped = queue?.nameHelped() ?? false;
  const hasNamed = objects.nameObjects({ areSynced: true });
  const namedAny = (await helped) || hasNamed;
  return { namedAt: namedAny ? process.hrtime.bigint() : storedAt, syncedAt };
}
