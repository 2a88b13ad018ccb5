import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { type ByteString, byteStringToBuffer } from '../../bytes/byte-string.js';
import { isErrno } from '../../fs/files.js';
import { METADATA_TEMP_PREFIX, OBJECT_TEMP_PREFIX, SYMLINK_TEMP_PREFIX } from '../../fs/random-name.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { Turns } from '../../threads/turns.js';
import { digestSize } from '../fsverity/algorithm.js';
import { type ObjectId, parseObjectId } from '../fsverity/object-id.js';
import { PARTIAL } from '../repository/directory/partial-files.js';
import { METADATA_FILENAME } from '../repository/metadata/metadata.js';
import { CATEGORIES } from '../repository/names/category.js';
import type { RepositoryHost } from '../repository/objects/host.js';
import { OBJECTS } from '../repository/objects/object-directory.js';

/**
 * What a file in a repository is by its place: `leftover` is what a writer that crashed has left under a temporary name,
 * `other` is nothing of ours.
 */
export type StorePlace = 'object' | 'link' | 'partial' | 'leftover' | 'metadata' | 'directory' | 'other';

export interface StoreFile {
  readonly place: StorePlace;
  /** Of an object. */
  readonly id: ObjectId | undefined;
  readonly stat: Stats;
}

/** Calls `visit` for everything in the directory of a repository, itself included. Symlinks are not followed. */
export async function visitStoreFiles(
  repository: RepositoryHost,
  turns: Turns,
  visit: (file: StoreFile) => void,
  progress: ProgressReporter = nullReporter,
): Promise<void> {
  const id = repository.path;
  let fetched = 0;
  progress.report({ type: 'started', id, unit: 'items' });
  const own = repository.root.within('', (self) => lstatSync(`${self}/.`));
  visit({ place: 'directory', id: undefined, stat: own });
  const pending: ByteString[] = ['' as ByteString];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    if (turns.isOver()) await turns.next();
    const path = directory;
    progress.report({ type: 'progress', id, fetched });
    for (const [name, stat] of statsIn(repository, path)) {
      fetched += 1;
      const relative = (path === '' ? name : `${path}/${name}`) as ByteString;
      if (stat.isDirectory()) pending.push(relative);
      const object = stat.isFile() ? objectAt(repository, relative) : undefined;
      visit({ place: placeOf(relative, stat, object), id: object, stat });
    }
  }
  progress.report({ type: 'done', id, transferred: fetched });
}

/** What vanishes meanwhile is left out. */
function statsIn({ root }: RepositoryHost, directory: ByteString): (readonly [ByteString, Stats])[] {
  try {
    return root.within(byteStringToBuffer(directory), (self) => {
      const found: (readonly [ByteString, Stats])[] = [];
      for (const name of readdirSync(self, 'latin1') as ByteString[]) {
        const path = `${self}/${name}`;
        // Text of ASCII is bytes; to make buffers for all of them takes as long as to ask for them.
        const stat = lstatSync(isAscii(name) ? path : Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
        if (stat !== undefined) found.push([name, stat]);
      }
      return found;
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function isAscii(name: ByteString): boolean {
  return /^[ -~]*$/.test(name);
}

function placeOf(path: ByteString, stat: Stats, id: ObjectId | undefined): StorePlace {
  if (stat.isDirectory()) return 'directory';
  if (id !== undefined) return 'object';
  const [top = '', ...rest] = path.split('/');
  const isTop = rest.length === 0;
  if (stat.isSymbolicLink()) {
    if (isTop && top.startsWith(SYMLINK_TEMP_PREFIX)) return 'leftover';
    return !isTop && CATEGORIES.some((category) => category === top) ? 'link' : 'other';
  }
  if (!stat.isFile()) return 'other';
  if (isTop && top === METADATA_FILENAME) return 'metadata';
  if (isTop && top.startsWith(METADATA_TEMP_PREFIX)) return 'leftover';
  if (top === OBJECTS && rest.length === 1 && rest[0]?.startsWith(OBJECT_TEMP_PREFIX) === true) return 'leftover';
  return top === PARTIAL ? 'partial' : 'other';
}

/** The object whose place a path is. */
function objectAt({ objects: { algorithm } }: RepositoryHost, path: ByteString): ObjectId | undefined {
  const [, first, rest] = /^objects\/([0-9a-f]{2})\/([0-9a-f]+)$/.exec(path) ?? [];
  if (first === undefined || rest?.length !== 2 * digestSize(algorithm) - 2) return undefined;
  return parseObjectId(algorithm, first + rest);
}
