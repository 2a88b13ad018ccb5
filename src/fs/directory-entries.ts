import { isUtf8 } from 'node:buffer';
import { type Dirent, readdirSync } from 'node:fs';
import { type ByteString, byteStringToBuffer, byteStringToText } from '../bytes/byte-string.js';
import { ComposefsError } from '../errors.js';

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

/**
 * Sorted by name.
 *
 * @param path as Node's functions take it.
 */
export function listDirectory(path: string | Buffer): DirectoryEntry[] {
  return readdirSync(path, { encoding: 'latin1', withFileTypes: true })
    .map((entry) => ({ name: entry.name as ByteString, kind: entryKind(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Sorted names alone: an object directory has many. */
export function listNames(path: string): ByteString[] {
  return readdirSync(path, 'latin1').sort() as ByteString[];
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
