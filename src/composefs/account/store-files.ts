import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { type ByteString, byteStringToBuffer } from '../../bytes/byte-string.js';
import { isErrno } from '../../fs/files.js';
import { METADATA_TEMP_PREFIX, OBJECT_TEMP_PREFIX, SYMLINK_TEMP_PREFIX } from '../../fs/random-name.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { Turns } from '../../threads/turns.js';
import { digestSize } from '../fsverity/algorithm.js';
import { type ObjectId, trustedObjectId } from '../fsverity/object-id.js';
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
  const idLength = 2 * digestSize(repository.objects.algorithm);
  let fetched = 0;
  progress.report({ type: 'started', id, unit: 'items' });
  const own = repository.root.within('', (self) => lstatSync(`${self}/.`));
  visit({ place: 'directory', id: undefined, stat: own });
  const pending: ByteString[] = ['' as ByteString];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    if (turns.isOver()) await turns.next();
    const path = directory;
    progress.report({ type: 'progress', id, fetched });
    const prefix = /^objects\/([0-9a-f]{2})$/.exec(path)?.[1];
    visitStats(repository, path, (name, stat) => {
      fetched += 1;
      if (prefix !== undefined && isHex(name) && prefix.length + name.length === idLength && stat.isFile()) {
        visit({ place: 'object', id: trustedObjectId(prefix + name), stat });
        return;
      }
      const relative = (path === '' ? name : `${path}/${name}`) as ByteString;
      if (stat.isDirectory()) pending.push(relative);
      visit({ place: placeOf(relative, stat), id: undefined, stat });
    });
  }
  progress.report({ type: 'done', id, transferred: fetched });
}

/** What vanishes meanwhile is left out. */
function visitStats(
  { root }: RepositoryHost,
  directory: ByteString,
  visit: (name: ByteString, stat: Stats) => void,
): void {
  try {
    root.within(byteStringToBuffer(directory), (self) => {
      for (const name of readdirSync(self, 'latin1') as ByteString[]) {
        const path = `${self}/${name}`;
        // Text of ASCII is bytes; to make buffers for all of them takes as long as to ask for them.
        const isText = isHex(name) || isAscii(name);
        const stat = lstatSync(isText ? path : Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
        if (stat !== undefined) visit(name, stat);
      }
    });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Of most names, which are those of objects, nothing else has to be asked. */
function isHex(name: ByteString): boolean {
  return /^[0-9a-f]+$/.test(name);
}

function isAscii(name: ByteString): boolean {
  return /^[ -~]*$/.test(name);
}

/** Of anything but an object. */
function placeOf(path: ByteString, stat: Stats): StorePlace {
  if (stat.isDirectory()) return 'directory';
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
