import type { StorePlace } from '../../storage/store.js';

/** A layer in a store of containers/storage, as files. Plain data, so that it can be posted to a thread or process. */
export interface StoreLocation extends StorePlace {
  readonly layerId: string;
  /** Bytes of its tar, as the store says; undefined if it does not. */
  readonly tarSize: number | undefined;
  /** Whether to fail rather than to copy a file. */
  readonly zeroCopy: boolean;
  /** Whether only a user namespace can read all files: they belong to ids that are the user's there. */
  readonly inNamespace: boolean;
  /** Whether others than this user and root may be able to change the files. */
  readonly mayChange: boolean;
}
