import { ObjectStore, type ObjectStoreOptions } from './object-store.js';

/**
 * Runs something that stores many objects with a store of its own, which names them when they are on disk: all of them
 * when this returns, those of a failure in part.
 */
export async function withDeferredNames<T>(
  options: ObjectStoreOptions,
  action: (objects: ObjectStore) => Promise<T> | T,
): Promise<T> {
  const objects = new ObjectStore(options);
  objects.deferNames();
  try {
    const result = await action(objects);
    objects.nameObjects();
    return result;
  } finally {
    objects.dropUnnamed();
  }
}
