import type { ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import type { TaskReply } from '../../../threads/tasks.js';
import type { StoreFilesInput } from '../layer/store-files.js';

/** The repository as another process opens it: the directory of that path, if it is still that one. */
export interface RepositoryPlace {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  readonly allowForeignOwner: boolean;
}

/** `store-files` for another process: descriptors and shared memory stay behind. */
export interface ForeignStoreFilesInput extends Omit<StoreFilesInput, 'store'> {
  readonly store: Omit<ObjectStoreOptions, 'root'>;
  readonly repository: RepositoryPlace;
}

/** What the process is told. */
export type ToNamespace =
  | { readonly type: 'run'; readonly id: number; readonly input: ForeignStoreFilesInput }
  | { readonly type: 'abort'; readonly id: number };

/** What it says: first that it is there. */
export type FromNamespace = { readonly type: 'ready' } | TaskReply;
