import { type ByteString, byteStringFrom, byteStringToBuffer } from '../../../bytes/byte-string.js';
import type { DirectoryEntry } from '../../../fs/directory-entries.js';
import { followLinks } from '../directory/follow-links.js';
import type { RepositoryRoot } from '../directory/root.js';
import { type WalkedEntry, walkTree } from '../directory/walk-tree.js';
import type { RepositoryHost } from '../objects/host.js';
import { REFS } from './names.js';

/** The two directories of named things. Both have entries, which link to objects, and `refs/`, which link to entries. */
export type Category = 'images' | 'streams';

export const CATEGORIES: readonly Category[] = ['images', 'streams'];

export interface CategoryEntry extends DirectoryEntry {
  /** Relative to the repository. */
  readonly path: Buffer;
}

/** Everything in `<category>/` but `refs`; nothing if there is no such directory. */
export function listEntries(repository: RepositoryHost, category: Category): CategoryEntry[] {
  return (repository.root.list(category) ?? [])
    .filter((entry) => entry.name !== REFS)
    .map((entry) => ({ ...entry, path: byteStringToBuffer(`${category}/${entry.name}` as ByteString) }));
}

/** Everything below `<category>/refs/<directory>`. */
export function walkRefs(repository: RepositoryHost, category: Category, directory = ''): Generator<WalkedEntry> {
  const root = `${category}/${REFS}`;
  return walkTree(repository.root, directory === '' ? root : `${root}/${directory}`);
}

/** True if a symlink ends nowhere. @throws what {@link followLinks} throws */
export function isBrokenLink(root: RepositoryRoot, path: Buffer): boolean {
  return followLinks(root, path) === undefined;
}

/** The text of a symlink, as bytes; undefined if it is gone, as a reference may be that another process removes. */
export function readLinkBytes(root: RepositoryRoot, path: Buffer): ByteString | undefined {
  const text = root.readLink(path);
  return text === undefined ? undefined : byteStringFrom(text);
}
