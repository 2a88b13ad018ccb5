/** Writing the files of a tree into a directory (spec 30 §10.4). */

import { closeSync, constants, mkdirSync, openSync, symlinkSync, unlinkSync } from 'node:fs';
import { type ByteString, byteStringToBuffer, quoteBytes } from '../../bytes/byte-string.js';
import { errorCode, withContext } from '../../errors.js';
import { writeFully } from '../../fs/files.js';
import { makeNode, procPath } from '../../linux/link.js';
import { ImageError } from './image-error.js';
import { Directory, fileTypeBits, type Inode, type Leaf, type RegularFile } from './inode.js';
import { isDots } from './path.js';
import { type ObjectSource, readFileChunks } from './read-file.js';

const O_DIRECTORY_NOFOLLOW = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const O_CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

interface OpenDirectory {
  readonly fd: number;
  readonly entries: Iterator<readonly [ByteString, Inode], unknown>;
}

/**
 * Makes what is in a tree inside an existing directory, with types, names, content and modes (less the umask). Owners,
 * times, xattrs and the root's own metadata are not set; hard links become separate files, sparse files empty ones.
 *
 * Directories may be there already. Everything else must be new, and no symlink is followed.
 */
export function writeToPath(root: Directory, path: string | Buffer, objects: ObjectSource): void {
  const open: OpenDirectory[] = [];
  try {
    open.push({ fd: openSync(path, O_DIRECTORY_NOFOLLOW), entries: root.entries() });
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const { done, value } = top.entries.next();
      if (done === true) {
        open.pop();
        closeSync(top.fd);
        continue;
      }
      const [name, inode] = value as readonly [ByteString, Inode];
      const child = childPath(top.fd, name);
      if (inode instanceof Directory) {
        const fd = withContext(`Writing directory ${quoteBytes(name)}`, () => makeDirectory(child, inode));
        open.push({ fd, entries: inode.entries() });
      } else {
        withContext(`Writing ${quoteBytes(name)}`, () => writeLeaf(child, inode, objects));
      }
    }
  } finally {
    for (const { fd } of open) closeSync(fd);
  }
}

/** Over the descriptor, so that no path is too long and none leads through a symlink. */
function childPath(directoryFd: number, name: ByteString): Buffer {
  if (name === '' || isDots(name) || /[/\0]/.test(name)) throw new ImageError('invalid-filename', name);
  return byteStringToBuffer(`${procPath(directoryFd)}/${name}` as ByteString);
}

function makeDirectory(path: Buffer, { stat }: Directory): number {
  try {
    mkdirSync(path, { mode: stat.mode & 0o7777 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  return openSync(path, O_DIRECTORY_NOFOLLOW);
}

function writeLeaf(path: Buffer, { stat, content }: Leaf, objects: ObjectSource): void {
  const mode = stat.mode & 0o7777;
  switch (content.type) {
    case 'regular':
      writeFile(path, mode, content.file, objects);
      return;
    case 'symlink':
      symlinkSync(byteStringToBuffer(content.target), path);
      return;
    case 'block-device':
    case 'character-device':
      makeNode(path, mode | fileTypeBits(content), content.rdev);
      return;
    case 'fifo':
    case 'socket':
      makeNode(path, mode | fileTypeBits(content), 0);
  }
}

/** A file that cannot be written whole does not stay. */
function writeFile(path: Buffer, mode: number, file: RegularFile, objects: ObjectSource): void {
  const fd = openSync(path, O_CREATE_NEW, mode);
  try {
    for (const chunk of readFileChunks(file, objects)) writeFully(fd, chunk);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}
