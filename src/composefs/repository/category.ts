import { readlinkSync, statSync } from 'node:fs';
import { type ByteString, byteStringToBuffer } from '../../bytes/byte-string.js';
import {
  type DirectoryEntry,
  joinPath,
  listDirectory,
  pathBytes,
  type WalkedEntry,
  walkTree,
} from './directory-entries.js';
import { isErrno } from './files.js';
import type { RepositoryHost } from './host.js';
import { REFS } from './names.js';

/** The two directories of named things. Both have entries, which link to objects, and `refs/`, which link to entries. */
export type Category = 'images' | 'streams';

export const CATEGORIES: readonly Category[] = ['images', 'streams'];

export interface CategoryEntry extends DirectoryEntry {
  readonly path: ByteString;
}

/** Everything in `<category>/` but `refs`; nothing if there is no such directory. */
export function listEntries(repository: RepositoryHost, category: Category): CategoryEntry[] {
  const directory = pathBytes(`${repository.path}/${category}`);
  return (listDirectory(directory) ?? [])
    .filter((entry) => entry.name !== REFS)
    .map((entry) => ({ ...entry, path: joinPath(directory, entry.name) }));
}

/** Everything below `<category>/refs/<directory>`. */
export function walkRefs(repository: RepositoryHost, category: Category, directory = ''): Generator<WalkedEntry> {
  const root = `${repository.path}/${category}/${REFS}`;
  return walkTree(pathBytes(directory === '' ? root : `${root}/${directory}`));
}

/** True if following the symlink ends nowhere; other errors than ENOENT are thrown. */
export function isBrokenLink(path: ByteString): boolean {
  try {
    statSync(byteStringToBuffer(path));
    return false;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    throw error;
  }
}

/** The text of a symlink, as bytes. */
export function readLinkBytes(path: ByteString): ByteString {
  return readlinkSync(byteStringToBuffer(path), 'latin1') as ByteString;
}
