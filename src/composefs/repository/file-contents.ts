import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { byteStringToBuffer } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { FileDigests } from '../tree/file-digests.js';
import type { FileIdentity, PendingFile } from '../tree/pending-file.js';
import type { FileStore } from '../tree/scan.js';
import { packError, type TransferredError } from './error-transfer.js';
import { closeOnError } from './files.js';
import { FlatDigestStore } from './flat-digest-store.js';
import { ObjectStore, type ObjectStoreOptions } from './object-store.js';

/** Where the contents of files go: a repository, the store of `mkcomposefs`, nowhere. Plain data. */
export type ContentDestination =
  | { readonly kind: 'repository'; readonly store: ObjectStoreOptions }
  | { readonly kind: 'flat-store'; readonly path: string; readonly algorithm: HashAlgorithm }
  | { readonly kind: 'none'; readonly algorithm: HashAlgorithm };

/** Files whose contents are to be read by one thread. Plain data. */
export type ContentJob = readonly Pick<PendingFile, 'path' | 'identity'>[];

/** `storing`: whether the file itself could be opened, and was what it should be. */
export type ContentResult = { readonly id: ObjectId } | { readonly error: TransferredError; readonly storing: boolean };

/** A store that is missing is made. */
export function openDestination(destination: ContentDestination): FileStore {
  switch (destination.kind) {
    case 'repository':
      return new ObjectStore(destination.store);
    case 'flat-store':
      mkdirSync(destination.path, { recursive: true, mode: 0o755 });
      return FlatDigestStore.open(destination.path, destination.algorithm, true);
    case 'none':
      return new FileDigests(destination.algorithm);
  }
}

/** One result for each file. */
export function storeContents(store: FileStore, job: ContentJob): ContentResult[] {
  return job.map(({ path, identity }) => {
    let fd: number;
    try {
      fd = openSame(byteStringToBuffer(path), identity);
    } catch (error) {
      return { error: packError(error), storing: false };
    }
    try {
      return { id: store.ensureObjectFromFd(fd, identity.size) };
    } catch (error) {
      return { error: packError(error), storing: true };
    } finally {
      closeSync(fd);
    }
  });
}

/** Opens a file if it still is the one that was found. */
function openSame(path: Buffer, { dev, ino, mtimeNs, size }: FileIdentity): number {
  // Without O_NONBLOCK, a FIFO that takes the place of the file would block here for ever.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return closeOnError(fd, () => {
    const now = fstatSync(fd, { bigint: true });
    const isSame = now.dev === dev && now.ino === ino && now.mtimeNs === mtimeNs && now.size === BigInt(size);
    if (!isSame || !now.isFile()) throw new ComposefsError('FILE_CHANGED', 'File changed while the directory was read');
    return fd;
  });
}
