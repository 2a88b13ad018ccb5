import { closeSync, constants, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { type ByteString, byteStringToBuffer } from '../../src/bytes/byte-string.js';
import { Directory, fileTypeBits, type Inode, type Leaf } from '../../src/composefs/tree/inode.js';
import { type ObjectSource, readFile } from '../../src/composefs/tree/read-file.js';
import { makeNode, procPath } from '../../src/linux/link.js';

interface OpenDirectory {
  readonly fd: number;
  readonly entries: Iterator<readonly [ByteString, Inode], undefined>;
}

/**
 * Makes what is in a tree inside an empty directory: types, names, content and modes (less the umask). Owners, times,
 * xattrs and the root's own metadata are not set; hard links become separate files, sparse files empty ones. Paths may be
 * longer than PATH_MAX.
 */
export function writeTree(root: Directory, path: string, objects: ObjectSource): void {
  const open: OpenDirectory[] = [{ fd: openDirectory(path), entries: root.entries() }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = top.entries.next();
    if (next.done === true) {
      open.pop();
      closeSync(top.fd);
      continue;
    }
    const [name, inode] = next.value;
    const child = byteStringToBuffer(`${procPath(top.fd)}/${name}` as ByteString);
    if (inode instanceof Directory) {
      mkdirSync(child, { mode: inode.stat.mode & 0o7777 });
      open.push({ fd: openDirectory(child), entries: inode.entries() });
    } else {
      writeLeaf(child, inode, objects);
    }
  }
}

function openDirectory(path: string | Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
}

function writeLeaf(path: Buffer, { stat, content }: Leaf, objects: ObjectSource): void {
  const mode = stat.mode & 0o7777;
  if (content.type === 'regular') writeFileSync(path, readFile(content.file, objects), { mode, flag: 'wx' });
  else if (content.type === 'symlink') symlinkSync(byteStringToBuffer(content.target), path);
  else makeNode(path, mode | fileTypeBits(content), 'rdev' in content ? content.rdev : 0);
}
