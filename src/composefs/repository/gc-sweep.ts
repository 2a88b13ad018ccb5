import { constants, lstatSync, openSync, unlinkSync } from 'node:fs';
import { type ByteString, byteStringToBuffer, byteStringToText } from '../../bytes/byte-string.js';
import { withContext } from '../../errors.js';
import { tryFlock } from '../../linux/flock.js';
import { type ObjectId, objectIdFromDirAndBasename } from '../fsverity/object-id.js';
import { type Category, isBrokenLink, walkRefs } from './category.js';
import { joinPath, listDirectory, listNames, pathBytes } from './directory-entries.js';
import { isErrno, withFd } from './files.js';
import { type LiveSet, refTarget } from './gc-live.js';
import type { RepositoryHost } from './host.js';
import { METADATA_TEMP_PREFIX, OBJECT_TEMP_PREFIX, SYMLINK_TEMP_PREFIX } from './random-name.js';

/** Temporary files younger than this may belong to a writer that has opened the repository without its lock. */
const LEFTOVER_AGE_MS: number = 60 * 60 * 1000;
const PARTIAL_AGE_MS: number = 7 * 24 * 60 * 60 * 1000;

export interface SweptObjects {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Deletes every object that is not in `live` (spec 10 §17.3 step 5).
 *
 * @param dryRun counts only.
 */
export function sweepObjects(repository: RepositoryHost, live: ReadonlySet<ObjectId>, dryRun: boolean): SweptObjects {
  let count = 0;
  let bytes = 0;
  for (let number = 0; number < 256; number++) {
    const directory = `${repository.objects.objectsPath}/${number.toString(16).padStart(2, '0')}`;
    for (const name of listNames(directory) ?? []) {
      const id = withContext(`Parsing object ID from directory entry ${directory}/${byteStringToText(name)}`, () =>
        objectIdFromDirAndBasename(repository.objects.algorithm, number, name),
      );
      if (live.has(id)) continue;
      const path = `${directory}/${name}`;
      count++;
      bytes += sizeOf(path);
      if (!dryRun) unlinkSync(path);
    }
  }
  return { count, bytes };
}

/**
 * Removes the entries of a category whose objects are dead or gone, and the references that lead nowhere (spec 10
 * §17.3 step 6). What a reference names stays, also if its object is gone: only who made the reference knows whether
 * it can be had again.
 *
 * @param dryRun counts only, and only those that lead nowhere already.
 */
export function pruneLinks(repository: RepositoryHost, category: Category, live: LiveSet, dryRun: boolean): number {
  const { entries, roots } = live.categories[category];
  let count = 0;
  const prune = (path: ByteString): void => {
    count++;
    if (!dryRun) unlinkSync(byteStringToBuffer(path));
  };
  for (const [name, id] of entries) {
    if (roots.has(name)) continue;
    const path = pathBytes(`${repository.path}/${category}/${name}`);
    if ((!dryRun && !live.objects.has(id)) || isBrokenLink(path)) prune(path);
  }
  for (const entry of walkRefs(repository, category)) {
    if (refTarget(entry) === undefined && isBrokenLink(entry.path)) prune(entry.path);
  }
  return count;
}

/** Removes what writers that crashed left behind under temporary names. */
export function sweepLeftovers(repository: RepositoryHost, now: number = Date.now()): void {
  const remove = (directory: string, ...prefixes: readonly string[]): void => {
    const directoryBytes = pathBytes(directory);
    for (const { name, kind } of listDirectory(directoryBytes) ?? []) {
      if (kind === 'directory' || !prefixes.some((prefix) => name.startsWith(prefix))) continue;
      const path = byteStringToBuffer(joinPath(directoryBytes, name));
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined || now - stat.mtimeMs < LEFTOVER_AGE_MS) continue;
      try {
        unlinkSync(path);
      } catch (error) {
        // Its writer is alive after all and has finished meanwhile.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  };
  remove(repository.objects.objectsPath, OBJECT_TEMP_PREFIX);
  remove(repository.path, SYMLINK_TEMP_PREFIX, METADATA_TEMP_PREFIX);
}

/**
 * Removes what is left of downloads that nobody has gone on with for a week: files below `.partial/` (made by the OCI
 * layer, one a blob) that are not locked. Younger ones stay, because a pull that was interrupted may be tried again.
 */
export function sweepPartialDownloads(repository: RepositoryHost, now: number = Date.now()): void {
  const directory = pathBytes(`${repository.path}/.partial`);
  for (const { name, kind } of listDirectory(directory) ?? []) {
    if (kind === 'directory') continue;
    const path = byteStringToBuffer(joinPath(directory, name));
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || now - stat.mtimeMs < PARTIAL_AGE_MS || (stat.isFile() && isLocked(path))) continue;
    try {
      unlinkSync(path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}

/** Where locks cannot be asked for, nothing is locked either. */
function isLocked(path: Buffer): boolean {
  try {
    return withFd(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW), (fd) => !tryFlock(fd, 'exclusive'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'FFI_UNAVAILABLE')) return false;
    throw error;
  }
}

function sizeOf(path: string): number {
  try {
    return lstatSync(path).size;
  } catch {
    return 0;
  }
}
