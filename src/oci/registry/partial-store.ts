import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../errors.js';
import { tryFlock } from '../../linux/flock.js';
import type { OciDigest } from '../model/digest.js';
import { PartialBlob } from './partial-blob.js';

/** Where the received parts of blobs are kept. Plain data. */
export interface PartialStoreOptions {
  /** `<repository>/.partial`. One file a blob, named by its digest; garbage collection removes old ones. */
  readonly directory: string;
  /** Bounds for everything in the directory. The oldest parts that nobody works on make room for new ones. */
  readonly maxFiles: number;
  readonly maxBytes: number;
}

export function partialStoreOptions(repositoryPath: string): PartialStoreOptions {
  return { directory: join(repositoryPath, '.partial'), maxFiles: 64, maxBytes: 32 * 2 ** 30 };
}

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
  'FFI_UNAVAILABLE',
]);

/**
 * Opens or creates the file of a blob.
 *
 * @param size - of the whole blob.
 * @returns undefined if parts cannot be kept: somebody else is writing this one, or there is no room.
 */
export function openPartial(options: PartialStoreOptions, digest: OciDigest, size: number): PartialBlob | undefined {
  try {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    if (!makeRoom(options, digest, size)) return undefined;
    return openLocked(join(options.directory, digest), size);
  } catch (error) {
    if (UNAVAILABLE.has(errorCode(error))) return undefined;
    throw error;
  }
}

/** Bytes that are kept of a blob. */
export function partialSize(options: PartialStoreOptions, digest: OciDigest): number {
  const stat = lstatSync(join(options.directory, digest), { throwIfNoEntry: false });
  return stat?.isFile() === true ? stat.size : 0;
}

function openLocked(path: string, blobSize: number): PartialBlob | undefined {
  for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
    const fd = lockFile(path, constants.O_CREAT);
    if (fd === undefined) return undefined;
    const { ino, size } = fstatSync(fd);
    if (lstatSync(path, { throwIfNoEntry: false })?.ino !== ino) {
      closeSync(fd);
      continue;
    }
    if (size <= blobSize) return new PartialBlob(fd, size);
    ftruncateSync(fd, 0);
    return new PartialBlob(fd, 0);
  }
  return undefined;
}

/** An open file that is locked; undefined if it is not a file or somebody else has locked it. */
function lockFile(path: string, extraFlags: number): number | undefined {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK | extraFlags, 0o600);
  let isOurs = false;
  try {
    isOurs = fstatSync(fd).isFile() && tryFlock(fd, 'exclusive');
    return isOurs ? fd : undefined;
  } finally {
    if (!isOurs) closeSync(fd);
  }
}

/** Removes the file of a blob that is stored now, or of one that turned out wrong; not while somebody works on it. */
export function removePartial(options: PartialStoreOptions, digest: OciDigest): void {
  removeUnlocked(join(options.directory, digest));
}

/** @returns whether it is gone. */
function removeUnlocked(path: string): boolean {
  try {
    const fd = lockFile(path, 0);
    if (fd === undefined) return false;
    try {
      unlinkSync(path);
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
function makeRoom(options: PartialStoreOptions, digest: OciDigest, size: number): boolean {
  const all = listFiles(options.directory);
  const others = all.filter((file) => file.name !== digest);
  if (others.length === all.length && isShort(options.directory, size)) return false;
  let files = others.length + 1;
  let bytes = size + others.reduce((sum, file) => sum + file.size, 0);
  others.sort((a, b) => a.mtimeMs - b.mtimeMs);
  for (const file of others) {
    if (files <= options.maxFiles && bytes <= options.maxBytes) break;
    if (!removeUnlocked(join(options.directory, file.name))) continue;
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

function listFiles(directory: string): { name: string; size: number; mtimeMs: number }[] {
  return readdirSync(directory).flatMap((name) => {
    const stat = lstatSync(join(directory, name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, size: stat.size, mtimeMs: stat.mtimeMs }];
  });
}
