import type { StagedFile, StagingArea } from '../../../fs/staged-file.js';
import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import type { ObjectDirectory } from './object-directory.js';
import type { ObjectVerity } from './object-verity.js';

/** How an object came into the store. */
export type ObjectStoreMethod = 'reflinked' | 'hardlinked' | 'copied' | 'already-present';

/** What became of an object of known size. */
export interface StoredObject {
  readonly id: ObjectId;
  readonly size: number;
  readonly method: ObjectStoreMethod;
}

/** What the ways of storing need of the store that the object becomes part of. */
export interface ObjectDestination {
  readonly algorithm: HashAlgorithm;
  readonly verity: ObjectVerity;
  readonly staging: StagingArea;
  readonly directory: ObjectDirectory;
  storeObject(data: Uint8Array): StoredObject;
  /** Whether the object is there and has this size. */
  hasSize(id: ObjectId, size: number): boolean;
  /** Whether the object is complete, but has no name yet. */
  awaitsName(id: ObjectId): boolean;
  /** A file without a name, for content that is not known yet. */
  stage(mode: number): StagedFile;
  /** Enables fs-verity where there is such a thing. True: it was enabled. */
  enableVerity(file: StagedFile): boolean;
  /** Enables fs-verity, and checks that the digest is that of the object. */
  seal(file: StagedFile, id: ObjectId): void;
  /** Gives a complete file its name. False: the object was there already. */
  place(file: StagedFile, id: ObjectId, size: number): boolean;
}
