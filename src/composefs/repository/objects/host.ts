import { syncFileSystem } from '../../../fs/sync-file-system.js';
import type { RepositoryRoot } from '../directory/root.js';
import { ObjectStore, type ObjectStoreOptions } from './object-store.js';

/** What the functions about names need of a repository. {@link Repository} is one; a worker thread makes its own. */
export interface RepositoryHost {
  /** The directory of the repository, for messages. */
  readonly path: string;
  /** @internal */
  readonly root: RepositoryRoot;
  readonly objects: ObjectStore;
}

/** A host that can also bring to disk what was stored. */
export interface SyncingHost extends RepositoryHost {
  /** Returns when everything stored so far would survive a crash (spec 10 §15). */
  sync(): void;
}

/** Makes a host in another thread: of `repo.objects.options`, which is plain data. */
export function hostFrom(options: ObjectStoreOptions): SyncingHost {
  const objects = new ObjectStore(options);
  const { root } = objects;
  return { path: root.path, root, objects, sync: () => syncFileSystem(root.fd, root.path) };
}
