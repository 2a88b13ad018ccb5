import { closeSync, fstatSync, mkdirSync } from 'node:fs';
import { type ByteString, byteStringToBuffer } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { closeOnError } from '../../fs/files.js';
import { openFileOnly } from '../../fs/open-file.js';
import { packError, type TransferredError } from '../../threads/error-transfer.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../repository/objects/object-store.js';
import type { FileStore } from './file-digests.js';
import { FileDigests } from './file-digests.js';
import { FlatDigestStore } from './flat-digest-store.js';
import type { PendingFile } from './pending-file.js';

/** The code of a failure that means that a file is not what it was when it was found. */
export const FILE_CHANGED = 'FILE_CHANGED';

/** {@link ContentDestination} as plain data, for threads. */
export type StoreDestination =
  | { readonly kind: 'repository'; readonly store: ObjectStoreOptions }
  | Exclude<ContentDestination, { readonly kind: 'repository' }>;

/**
 * Where the contents of files go: to the objects of a repository (`repo.objects`), to a directory of objects as
 * `mkcomposefs --digest-store` has it, or nowhere, so that only digests are computed.
 */
export type ContentDestination =
  | { readonly kind: 'repository'; readonly objects: ObjectStore }
  | { readonly kind: 'flat-store'; readonly path: string; readonly algorithm: HashAlgorithm }
  | { readonly kind: 'none'; readonly algorithm: HashAlgorithm };

export function storeDestination(destination: ContentDestination): StoreDestination {
  return destination.kind === 'repository' ? { kind: 'repository', store: destination.objects.options } : destination;
}

/** Files whose contents are to be read by one thread, as data that is quickly sent there: a column for each property. */
export interface ContentJob {
  readonly paths: readonly ByteString[];
  readonly devs: BigUint64Array;
  readonly inos: BigUint64Array;
  readonly mtimes: BigInt64Array;
  readonly sizes: Float64Array;
}

export interface ContentFailure {
  readonly error: TransferredError;
  /** Whether the file itself could be opened, and was what it should be. */
  readonly storing: boolean;
}

export interface ContentResult {
  /** For each file; undefined where there is a failure. */
  readonly ids: readonly (ObjectId | undefined)[];
  /** In the order of the files. */
  readonly failures: readonly ContentFailure[];
}

export function contentJob(files: readonly PendingFile[]): ContentJob {
  return {
    paths: files.map(({ path }) => path),
    devs: BigUint64Array.from(files, ({ dev }) => dev),
    inos: BigUint64Array.from(files, ({ ino }) => ino),
    mtimes: BigInt64Array.from(files, ({ mtimeNs }) => mtimeNs),
    sizes: Float64Array.from(files, ({ size }) => size),
  };
}

/** A store that is missing is made. What is stored is in its place after {@link finishObjects} only. */
export function openDestination(destination: StoreDestination): FileStore {
  switch (destination.kind) {
    case 'repository': {
      const store = new ObjectStore(destination.store);
      store.deferNames();
      return store;
    }
    case 'flat-store':
      mkdirSync(destination.path, { recursive: true, mode: 0o755 });
      return FlatDigestStore.open(destination.path, destination.algorithm, true);
    case 'none':
      return new FileDigests(destination.algorithm);
  }
}

/** Brings what was stored in a repository to disk, and gives it its names. */
export function finishObjects(store: FileStore): void {
  if (store instanceof ObjectStore) store.nameObjects();
}

/** Lets go of what a failure has left without a name. */
export function dropUnfinished(store: FileStore): void {
  if (store instanceof ObjectStore) store.dropUnnamed();
}

export function storeContents(store: FileStore, job: ContentJob): ContentResult {
  const failures: ContentFailure[] = [];
  const ids = job.paths.map((_, index) => {
    let storing = false;
    try {
      const fd = openSame(job, index);
      storing = true;
      try {
        return store.ensureObjectFromFd(fd, job.sizes[index] ?? 0);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      failures.push({ error: packError(error), storing });
      return undefined;
    }
  });
  return { ids, failures };
}

/** Opens a file of a job if it still is the one that was found. */
function openSame({ paths, devs, inos, mtimes, sizes }: ContentJob, index: number): number {
  const path = paths[index];
  if (path === undefined) throw new Error('a file without a path');
  const fd = openFileOnly(byteStringToBuffer(path));
  return closeOnError(fd, () => {
    const now = fstatSync(fd, { bigint: true });
    const isSame =
      now.dev === devs[index] &&
      now.ino === inos[index] &&
      now.mtimeNs === mtimes[index] &&
      Number(now.size) === sizes[index];
    if (!isSame || !now.isFile()) throw new ComposefsError(FILE_CHANGED, 'File changed while the directory was read');
    return fd;
  });
}
