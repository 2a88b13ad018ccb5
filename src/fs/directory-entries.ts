import { isUtf8 } from 'node:buffer';
import { type Dirent, readdirSync } from 'node:fs';
import {
  type ByteString,
  byteStringFrom,
  byteStringToBuffer,
  byteStringToText,
  isAscii,
} from '../bytes/byte-string.js';
import { ComposefsError } from '../errors.js';
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

/** An entry as Node reads it, of which the name is bytes. */
export type NamedEntry = Omit<Dirent, 'name'> & { readonly name: ByteString };

/**
 * The entries of a directory in no particular order.
 *
 * @param path as Node's functions take it.
 */
export function readEntries(path: string | Buffer): NamedEntry[] {
  return readAsciiEntries(path) ?? readdirSync(path, { encoding: 'buffer', withFileTypes: true }).map(withByteString);
}

/**
 * Undefined if there are other names: where a file system does not tell the types, Node looks at each entry by its name, and
 * encodes it as UTF-8 for that. With names in buffers it does not, but these take longer.
 */
function readAsciiEntries(path: string | Buffer): NamedEntry[] | undefined {
  try {
    const entries = readdirSync(path, { encoding: 'latin1', withFileTypes: true }) as (Dirent & { name: ByteString })[];
    return entries.every(({ name }) => isAscii(name)) ? entries : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function withByteString(entry: Dirent<Buffer>): NamedEntry {
  return Object.assign(entry, { name: byteStringFrom(entry.name) });
}

/**
 * Sorted by name.
 *
 * @param path as Node's functions take it.
 */
export function listDirectory(path: string | Buffer): DirectoryEntry[] {
  return readEntries(path)
    .map((entry) => ({ name: entry.name, kind: entryKind(entry) }))
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

function entryKind(entry: NamedEntry): EntryKind {
  if (entry.isSymbolicLink()) return 'symlink';
  if (entry.isFile()) return 'regular-file';
  if (entry.isDirectory()) return 'directory';
  if (entry.isFIFO()) return 'fifo';
  if (entry.isSocket()) return 'socket';
  if (entry.isCharacterDevice()) return 'character-device';
  if (entry.isBlockDevice()) return 'block-device';
  return 'unknown';
}
