import { lstatSync, unlinkSync } from 'node:fs';
import { byteStringToText } from '../../../bytes/byte-string.js';
import { withContext } from '../../../errors.js';
import { listNames } from '../../../fs/directory-entries.js';
import { isErrno } from '../../../fs/files.js';
import type { Steps } from '../../../threads/turns.js';
import type { ObjectIdTable } from '../../fsverity/id-table.js';
import { type ObjectId, objectIdFromDirAndBasename } from '../../fsverity/object-id.js';
import { type Category, isBrokenLink, walkRefs } from '../names/category.js';
import type { RepositoryHost } from '../objects/host.js';
import { OBJECT_DIRECTORIES, OBJECTS } from '../objects/object-directory.js';
import type { LiveSet } from './gc-live.js';
import { refTarget } from './gc-roots.js';

export interface SweptObjects {
  readonly count: number;
  readonly bytes: number;
}

export interface SweepOptions {
  /** Counts only. */
  readonly dryRun: boolean;
  /** Keeps what got its name after this moment, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Told how many of the {@link OBJECT_DIRECTORIES} are done. */
  readonly onDirectory?: ((done: number) => void) | undefined;
}

/** Deletes every object that is not in `live` (spec 10 §17.3 step 5). */
export function* sweepObjects(
  repository: RepositoryHost,
  live: ObjectIdTable,
  { dryRun, since, onDirectory }: SweepOptions,
): Steps<SweptObjects> {
  let count = 0;
  let bytes = 0;
  for (let number = 0; number < OBJECT_DIRECTORIES; number++) {
    const digits = number.toString(16).padStart(2, '0');
    const directory = `${OBJECTS}/${digits}`;
    const sweep = (self: string): void => {
      for (const name of listNames(self)) {
        // Of most nothing else has to be known: not even whether the name is that of an object.
        if (live.has((digits + name) as ObjectId)) continue;
        const id = withContext(
          () => `Parsing object ID from directory entry ${repository.root.nameOf(directory)}/${byteStringToText(name)}`,
          () => objectIdFromDirAndBasename(repository.objects.algorithm, number, name),
        );
        if (live.has(id)) continue;
        const path = `${self}/${name}`;
        const stat = lstatSync(path, { throwIfNoEntry: false });
        if (since !== undefined && stat !== undefined && stat.ctimeMs >= since) continue;
        count++;
        bytes += stat?.size ?? 0;
        if (!dryRun) unlinkSync(path);
      }
    };
    withContext('Sweeping objects', () => withinIfThere(repository, directory, sweep));
    onDirectory?.(number + 1);
    yield;
  }
  return { count, bytes };
}

/** Nothing happens if there is no such directory. */
function withinIfThere(repository: RepositoryHost, directory: string, action: (self: string) => void): void {
  let isThere = false;
  try {
    repository.root.within(directory, (self) => {
      isThere = true;
      action(self);
    });
  } catch (error) {
    if (isThere || !isErrno(error, 'ENOENT')) throw error;
  }
}

/**
 * Removes the entries of a category whose objects are dead or gone, and the references that lead nowhere (spec 10
 * §17.3 step 6). What a reference names stays, also if its object is gone: only who made the reference knows whether
 * it can be had again.
 *
 * @param dryRun counts only, and only those that lead nowhere already.
 */
export function pruneLinks(repository: RepositoryHost, category: Category, live: LiveSet, dryRun: boolean): number {
  const { root } = repository;
  const { entries, roots } = live.categories[category];
  let count = 0;
  const prune = (path: Buffer): void => {
    count++;
    if (!dryRun) root.unlink(path);
  };
  for (const [name, id] of entries) {
    if (roots.has(name)) continue;
    const path = Buffer.from(`${category}/${name}`);
    if ((!dryRun && !live.objects.has(id)) || leadsNowhere(repository, path)) prune(path);
  }
  for (const entry of walkRefs(repository, category)) {
    if (refTarget(repository, entry) === undefined && leadsNowhere(repository, entry.path)) prune(entry.path);
  }
  return count;
}

/** What leads out of the repository is not followed there, and left alone: fsck tells of it. */
function leadsNowhere({ root }: RepositoryHost, path: Buffer): boolean {
  try {
    return isBrokenLink(root, path);
  } catch (error) {
    if (isErrno(error, 'UNSAFE_PATH', 'ELOOP', 'ENOTDIR')) return false;
    throw error;
  }
}
