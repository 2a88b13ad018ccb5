import { closeSync, mkdirSync } from 'node:fs';
import { type ByteString, byteStringToBuffer, isAscii } from '../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../errors.js';
import { openFileOnly } from '../../fs/open-file.js';
import { S_IFREG } from '../../linux/constants.js';
import { FileStatus, IDENTITY_WORDS } from '../../linux/file-status.js';
import { readXattrsOfFd } from '../../linux/xattr.js';
import { packError, type TransferredError } from '../../threads/error-transfer.js';
import type { Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../repository/objects/object-store.js';
import { NO_XATTRS, type Xattrs } from '../tree/stat.js';
import { FileDigests, type SteppedFileStore } from './file-digests.js';
import { FlatDigestStore } from './flat-digest-store.js';
import type { PendingFile } from './found-leaf.js';

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
  /** Of each file, `IDENTITY_WORDS` of them (`FileStatus.hasIdentity`). */
  readonly identities: Uint32Array;
  readonly sizes: Float64Array;
  readonly withXattrs: boolean;
}

export interface ContentFailure {
  readonly error: TransferredError;
  /** Whether the file itself could be opened, and was what it should be. */
  readonly storing: boolean;
}

export interface ContentResult {
  /** For each file; undefined where there is a failure. */
  readonly ids: readonly (ObjectId | undefined)[];
  /** By the index of the file, if there are any and they were asked for. */
  readonly xattrs: ReadonlyMap<number, Xattrs>;
  /** By the index of the file. */
  readonly failures: ReadonlyMap<number, ContentFailure>;
}

/** @param withXattrs their xattrs were left for later, too. */
export function contentJob(files: readonly PendingFile[], withXattrs: boolean): ContentJob {
  const identities = new Uint32Array(files.length * IDENTITY_WORDS);
  for (const [index, { identity }] of files.entries()) identities.set(identity, index * IDENTITY_WORDS);
  return {
    paths: files.map(({ path }) => path),
    identities,
    sizes: Float64Array.from(files, ({ size }) => size),
    withXattrs,
  };
}

/** A store that is missing is made. What is stored is in its place after {@link finishObjects} only. */
export function openDestination(destination: StoreDestination): SteppedFileStore {
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
export function finishObjects(store: SteppedFileStore): void {
  if (store instanceof ObjectStore) store.nameObjects();
}

/** Lets go of what a failure has left without a name. */
export function dropUnfinished(store: SteppedFileStore): void {
  if (store instanceof ObjectStore) store.dropUnnamed();
}

export function* storeContentsSteps(store: SteppedFileStore, job: ContentJob): Steps<ContentResult> {
  const ids: (ObjectId | undefined)[] = [];
  const xattrs = new Map<number, Xattrs>();
  const failures = new Map<number, ContentFailure>();
  for (const [index, path] of job.paths.entries()) {
    yield;
    let storing = false;
    try {
      const fd = openFileOnly(isAscii(path) ? path : byteStringToBuffer(path));
      try {
        requireSame(fd, job, index);
        const found = job.withXattrs ? withContext('Reading extended attributes', () => readXattrsOfFd(fd)) : NO_XATTRS;
        if (found.size > 0) xattrs.set(index, found);
        storing = true;
        ids[index] = yield* store.ensureObjectFromFdSteps(fd, job.sizes[index] ?? 0);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      failures.set(index, { error: packError(error), storing });
      ids[index] = undefined;
    }
  }
  return { ids, xattrs, failures };
}

/** Of the file at work. */
const status = new FileStatus();

/** Fails unless an open file is the one of a job that was found. */
function requireSame(fd: number, { identities }: ContentJob, index: number): void {
  status.readFd(fd);
  if (status.hasIdentity(identities, index * IDENTITY_WORDS) && status.type === S_IFREG) return;
  throw new ComposefsError(FILE_CHANGED, 'File changed while the directory was read');
}
