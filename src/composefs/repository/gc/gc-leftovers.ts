import { constants } from 'node:fs';
import { type ByteString, byteStringToBuffer } from '../../../bytes/byte-string.js';
import { isErrno, withFd } from '../../../fs/files.js';
import { METADATA_TEMP_PREFIX, OBJECT_TEMP_PREFIX, SYMLINK_TEMP_PREFIX } from '../../../fs/random-name.js';
import { tryFlock } from '../../../linux/flock.js';
import { listPartials, PARTIAL } from '../directory/partial-files.js';
import type { RelativePath, RepositoryRoot } from '../directory/root.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECTS } from '../objects/object-directory.js';

/** Temporary files younger than this may belong to a writer that has opened the repository without its lock. */
const LEFTOVER_AGE_MS: number = 60 * 60 * 1000;
const PARTIAL_AGE_MS: number = 7 * 24 * 60 * 60 * 1000;

/** Files that are no objects. */
export interface SweptFiles {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Removes what writers that crashed left behind under temporary names.
 *
 * @param dryRun counts only.
 */
export function sweepLeftovers({ root }: RepositoryHost, dryRun: boolean, now: number = Date.now()): SweptFiles {
  const swept = { count: 0, bytes: 0 };
  const sweep = (directory: string, ...prefixes: readonly string[]): void => {
    for (const { name, kind } of root.list(directory) ?? []) {
      if (kind === 'directory' || !prefixes.some((prefix) => name.startsWith(prefix))) continue;
      const path = byteStringToBuffer((directory === '' ? name : `${directory}/${name}`) as ByteString);
      const stat = root.lstat(path);
      if (stat === undefined || now - stat.mtimeMs < LEFTOVER_AGE_MS) continue;
      // Its writer may be alive after all and finish meanwhile.
      if (!dryRun && !unlinkIfThere(root, path)) continue;
      swept.count++;
      swept.bytes += stat.size;
    }
  };
  sweep(OBJECTS, OBJECT_TEMP_PREFIX);
  sweep('', SYMLINK_TEMP_PREFIX, METADATA_TEMP_PREFIX);
  return swept;
}

/**
 * Removes what is left of downloads that nobody has gone on with for a week: files in `.partial/` that are not locked.
 * Younger ones stay, because a pull that was interrupted may be tried again.
 *
 * @param dryRun counts only.
 */
export function sweepPartialDownloads({ root }: RepositoryHost, dryRun: boolean, now: number = Date.now()): SweptFiles {
  const swept = { count: 0, bytes: 0 };
  for (const { name, size, mtimeMs } of listPartials(root)) {
    const path = `${PARTIAL}/${name}`;
    if (now - mtimeMs < PARTIAL_AGE_MS || isLocked(root, path)) continue;
    if (!dryRun && !unlinkIfThere(root, path)) continue;
    swept.count++;
    swept.bytes += size;
  }
  return swept;
}

function unlinkIfThere(root: RepositoryRoot, path: RelativePath): boolean {
  try {
    root.unlink(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Where locks cannot be asked for, nothing is locked either. */
function isLocked(root: RepositoryRoot, path: string): boolean {
  try {
    return withFd(root.open(path, constants.O_RDONLY | constants.O_NONBLOCK), (fd) => !tryFlock(fd, 'exclusive'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'FFI_UNAVAILABLE')) return false;
    throw error;
  }
}
