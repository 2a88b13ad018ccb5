import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, statfsSync } from 'node:fs';
import { listPartials, PARTIAL } from '../../composefs/repository/directory/partial-files.js';
import { RepositoryRoot, type RootReference } from '../../composefs/repository/directory/root.js';
import { errorCode } from '../../errors.js';
import { hasSystemCalls } from '../../linux/ffi.js';
import { tryFlock } from '../../linux/flock.js';
import type { OciDigest } from '../model/digest.js';
import { PartialBlob } from './partial-blob.js';

/** Where the received parts of blobs are kept. Plain data. */
export interface PartialStoreOptions {
  /** The repository: they are in its `.partial/`, one file a blob. Garbage collection removes old ones. */
  readonly root: RootReference;
  /** Bounds for everything in the directory. The oldest parts that nobody works on make room for new ones. */
  readonly maxFiles: number;
  readonly maxBytes: number;
}

export function partialStoreOptions(root: RepositoryRoot): PartialStoreOptions {
  return { root: root.reference, maxFiles: 64, maxBytes: 32 * 2 ** 30 };
}

const FILE_MODE = 0o600;

/** Free room that a blob must have, in its own sizes, to be kept in parts: itself, and what it becomes. */
const ROOM_FACTOR = 5;

/** A file can be removed between being opened and being locked. */
const OPEN_ATTEMPTS = 10;

/** Keeping parts is a help, not a condition: without room, rights or locks a blob is fetched in one go. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'EACCES',
  'EDQUOT',
  'EEXIST',
  'ELOOP',
  'EMFILE',
  'ENOLCK',
  'ENOSPC',
  'ENOSYS',
  'ENOTDIR',
  'EOPNOTSUPP',
  'EPERM',
  'EROFS',
  'UNSAFE_PATH',
]);

/**
 * Opens or creates the file of a blob.
 *
 * @param size - of the whole blob.
 * @returns undefined if parts cannot be kept: somebody else is writing this one, or there is no room.
 */
export function openPartial(options: PartialStoreOptions, digest: OciDigest, size: number): PartialBlob | undefined {
  // Without locks nothing is kept: the file would be made, and stay empty.
  if (!hasSystemCalls()) return undefined;
  const root = new RepositoryRoot(options.root);
  try {
    root.makeDirectory(PARTIAL, 0o700);
    if (!makeRoom(root, options, digest, size)) return undefined;
    return openLocked(root, digest, size);
  } catch (error) {
    if (UNAVAILABLE.has(errorCode(error))) return undefined;
    throw error;
  }
}

/** Bytes that are kept of a blob. */
export function partialSize(options: PartialStoreOptions, digest: OciDigest): number {
  return listPartials(new RepositoryRoot(options.root)).find(({ name }) => name === digest)?.size ?? 0;
}

function openLocked(root: RepositoryRoot, digest: OciDigest, blobSize: number): PartialBlob | undefined {
  for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
    const fd = lockFile(root, digest, constants.O_CREAT);
    if (fd === undefined) return undefined;
    const { ino, size } = fstatSync(fd);
    if (root.lstat(pathOf(digest))?.ino !== ino) {
      closeSync(fd);
      continue;
    }
    if (size <= blobSize) return new PartialBlob(fd, size);
    ftruncateSync(fd, 0);
    return new PartialBlob(fd, 0);
  }
  return undefined;
}

/**
 * An open file that is locked; undefined if somebody else has locked it, or if it is no regular file with this name
 * alone: what has another name may be anybody's, and must not be written.
 */
function lockFile(root: RepositoryRoot, name: string, extraFlags: number): number | undefined {
  const fd = root.open(pathOf(name), constants.O_RDWR | constants.O_NONBLOCK | extraFlags, FILE_MODE);
  let isOurs = false;
  try {
    const stat = fstatSync(fd);
    isOurs = stat.isFile() && stat.nlink === 1 && tryFlock(fd, 'exclusive');
    if (isOurs && (stat.mode & 0o7777) !== FILE_MODE) fchmodSync(fd, FILE_MODE);
    return isOurs ? fd : undefined;
  } finally {
    if (!isOurs) closeSync(fd);
  }
}

/** Removes the file of a blob that is stored now, or of one that turned out wrong; not while somebody works on it. */
export function removePartial(options: PartialStoreOptions, digest: OciDigest): void {
  removeUnlocked(new RepositoryRoot(options.root), digest);
}

/** @returns whether it is gone. */
function removeUnlocked(root: RepositoryRoot, name: string): boolean {
  try {
    const fd = lockFile(root, name, 0);
    if (fd === undefined) return false;
    try {
      root.unlink(pathOf(name));
    } finally {
      closeSync(fd);
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    if (UNAVAILABLE.has(errorCode(error))) return false;
    throw error;
  }
}

/** Makes room for a blob of `size` bytes, at the cost of the oldest parts. */
function makeRoom(root: RepositoryRoot, options: PartialStoreOptions, digest: OciDigest, size: number): boolean {
  const all = listPartials(root);
  const others = all.filter((file) => file.name !== digest);
  if (others.length === all.length && root.within(PARTIAL, (directory) => isShort(directory, size))) return false;
  let files = others.length + 1;
  let bytes = size + others.reduce((sum, file) => sum + file.size, 0);
  others.sort((a, b) => a.mtimeMs - b.mtimeMs);
  for (const file of others) {
    if (files <= options.maxFiles && bytes <= options.maxBytes) break;
    if (!removeUnlocked(root, file.name)) continue;
    files -= 1;
    bytes -= file.size;
  }
  return files <= options.maxFiles && bytes <= options.maxBytes;
}

/** Whether a disk has so little room that the layer's own files may need all of it: layers grow when unpacked. */
function isShort(directory: string, size: number): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize < ROOM_FACTOR * size;
}

function pathOf(name: string): string {
  return `${PARTIAL}/${name}`;
}
