/** What the finders have in common: directories, files and names of a tree, with the errors that they are to give. */

import { type ByteString, quoteBytes } from '../../bytes/byte-string.js';
import { Directory, type Inode, type RegularFile } from '../../composefs/tree/inode.js';
import { getDirectoryOpt } from '../../composefs/tree/lookup.js';
import { ComposefsError } from '../../errors.js';
import { tryNameText } from '../../fs/directory-entries.js';

/** An ASCII literal as the path or name it is. */
export function path(literal: string): ByteString {
  return literal as ByteString;
}

/** The entries of a directory in byte order of their names; none if it is missing. */
export function entriesOf(root: Directory, directory: ByteString): Iterable<readonly [ByteString, Inode]> {
  return getDirectoryOpt(root, directory)?.entries() ?? [];
}

/** The subdirectories of `/usr/lib/modules`: one for each kernel. */
export function* modulesDirectories(root: Directory): Generator<readonly [kver: ByteString, Directory]> {
  for (const [name, inode] of entriesOf(root, path('/usr/lib/modules'))) {
    if (inode instanceof Directory) yield [name, inode];
  }
}

/**
 * The file that an entry must be.
 *
 * @param parent how the message names the directory, with a slash at its end; empty for the name alone.
 * @throws ComposefsError `INVALID_BOOT_ENTRY`
 */
export function requireFile(parent: string, name: ByteString, inode: Inode): RegularFile {
  if (inode instanceof Directory) throw invalidEntry(`${parent}${quoteBytes(name)} is a directory`);
  const { content } = inode;
  if (content.type !== 'regular') throw invalidEntry(`${parent}${quoteBytes(name)} is not a regular file`);
  return content.file;
}

/** A kernel version as text. @throws ComposefsError `INVALID_BOOT_ENTRY` */
export function kernelVersion(name: ByteString): string {
  const text = tryNameText(name);
  if (text === undefined) throw invalidEntry(`kernel version ${quoteBytes(name)} is not UTF-8`);
  return text;
}

export function invalidEntry(message: string): ComposefsError {
  return new ComposefsError('INVALID_BOOT_ENTRY', message);
}
