import { isUtf8 } from 'node:buffer';
import { type Dirent, readdirSync } from 'node:fs';
import { type ByteString, byteStringFromText, byteStringToBuffer, byteStringToText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { isErrno } from './files.js';

/** Directory listings in byte order, with names as bytes: a repository may hold names that are not text. */

export type EntryKind =
  | 'directory'
  | 'symlink'
  | 'regular-file'
  | 'fifo'
  | 'socket'
  | 'character-device'
  | 'block-device'
  | 'unknown';

export interface DirectoryEntry {
  readonly name: ByteString;
  readonly kind: EntryKind;
}

/** Sorted by name; undefined if there is no such directory. */
export function listDirectory(path: ByteString): DirectoryEntry[] | undefined {
  let entries: Dirent[];
  try {
    entries = readdirSync(byteStringToBuffer(path), { encoding: 'latin1', withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return entries
    .map((entry) => ({ name: entry.name as ByteString, kind: entryKind(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Sorted names alone: an object directory has many. Undefined if there is no such directory. */
export function listNames(path: string): ByteString[] | undefined {
  try {
    return readdirSync(path, 'latin1').sort() as ByteString[];
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return `${directory}/${name}` as ByteString;
}

/** The bytes of a path of our own making. */
export function pathBytes(path: string): ByteString {
  return byteStringFromText(path);
}

/** The text of a name that must be UTF-8. */
export function nameText(name: ByteString): string {
  const text = tryNameText(name);
  if (text === undefined) {
    throw new ComposefsError('INVALID_NAME', `name is not valid UTF-8: ${byteStringToText(name)}`);
  }
  return text;
}

/** The text of a name; undefined if it is not UTF-8. */
export function tryNameText(name: ByteString): string | undefined {
  return isUtf8(byteStringToBuffer(name)) ? byteStringToText(name) : undefined;
}

export interface WalkedEntry extends DirectoryEntry {
  /** Below the directory that is walked. */
  readonly relativePath: ByteString;
  readonly path: ByteString;
}

/**
 * Everything below a directory but the directories themselves, in byte order of each level; nothing if the directory
 * does not exist. Symlinks are not followed.
 */
export function* walkTree(root: ByteString): Generator<WalkedEntry> {
  const pending: WalkedEntry[] = [];
  const push = (path: ByteString, prefix: string): void => {
    for (const entry of (listDirectory(path) ?? []).reverse()) {
      const relativePath = (prefix + entry.name) as ByteString;
      pending.push({ ...entry, path: joinPath(path, entry.name), relativePath });
    }
  };
  push(root, '');
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    if (entry.kind === 'directory') push(entry.path, `${entry.relativePath}/`);
    else yield entry;
  }
}

function entryKind(entry: Dirent): EntryKind {
  if (entry.isSymbolicLink()) return 'symlink';
  if (entry.isFile()) return 'regular-file';
  if (entry.isDirectory()) return 'directory';
  if (entry.isFIFO()) return 'fifo';
  if (entry.isSocket()) return 'socket';
  if (entry.isCharacterDevice()) return 'character-device';
  if (entry.isBlockDevice()) return 'block-device';
  return 'unknown';
}
