import { type ByteString, byteStringFrom, byteStringToBuffer } from '../../../bytes/byte-string.js';
import type { DirectoryEntry } from '../../../fs/directory-entries.js';
import type { RelativePath, RepositoryRoot } from './root.js';

export interface WalkedEntry extends DirectoryEntry {
  /** Below the directory that is walked. */
  readonly relativePath: ByteString;
  /** Relative to the repository. */
  readonly path: Buffer;
}

/**
 * Everything below a directory of a repository but the directories themselves, in byte order of each level; nothing if
 * the directory does not exist. Symlinks are not followed.
 */
export function* walkTree(root: RepositoryRoot, directory: RelativePath): Generator<WalkedEntry> {
  const start = byteStringFrom(Buffer.from(directory));
  const pending: WalkedEntry[] = [];
  const push = (prefix: string): void => {
    for (const entry of (root.list(byteStringToBuffer(`${start}${prefix}` as ByteString)) ?? []).reverse()) {
      const relativePath = `${prefix}/${entry.name}`.slice(1) as ByteString;
      const path = byteStringToBuffer(`${start}/${relativePath}` as ByteString);
      pending.push({ ...entry, relativePath, path });
    }
  };
  push('');
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    if (entry.kind === 'directory') push(`/${entry.relativePath}`);
    else yield entry;
  }
}
