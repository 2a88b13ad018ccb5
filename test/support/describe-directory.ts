import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { type ByteString, byteStringFrom, byteStringToText } from '../../src/bytes/byte-string.js';
import { Directory, fileTypeBits, type Inode } from '../../src/composefs/tree/inode.js';
import { type ObjectSource, readFile } from '../../src/composefs/tree/read-file.js';
import type { Xattrs } from '../../src/composefs/tree/stat.js';
import { countLinks } from '../../src/composefs/tree/walk.js';
import { S_IFDIR } from '../../src/linux/constants.js';
import { readXattrs } from '../../src/linux/xattr.js';
import { sha256 } from './sha256.js';

/** What can be seen of one path, in a form to compare. */
export interface PathDescription {
  readonly mode: string;
  readonly owner: string;
  /** Nanoseconds. */
  readonly mtime: string;
  /** Directories count differently: overlayfs shows 1. */
  readonly links?: number;
  readonly device?: string;
  readonly target?: string;
  /** SHA-256. */
  readonly content?: string;
  readonly xattrs: Readonly<Record<string, string>>;
  /** The first path, in the order of descriptions, of the same inode. */
  readonly sameAs?: string | undefined;
}

/** All that a file system shows of a directory, by path; the directory itself is ``. Xattrs are read if some are kept. */
export function describeDirectory(
  root: string,
  keepXattr?: (name: ByteString) => boolean,
): Map<string, PathDescription> {
  const found = new Map<string, PathDescription>();
  const inodes = new Map<bigint, string>();
  const pending: Buffer[] = [Buffer.alloc(0)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const stat = lstatSync(full, { bigint: true });
    const name = byteStringToText(byteStringFrom(path));
    if (stat.isDirectory()) {
      for (const entry of readdirSync(full, { encoding: 'buffer' }).sort(Buffer.compare).reverse()) {
        pending.push(path.length === 0 ? entry : Buffer.concat([path, Buffer.from('/'), entry]));
      }
    }
    const sameAs = stat.isDirectory() ? undefined : (inodes.get(stat.ino) ?? name);
    if (sameAs !== undefined) inodes.set(stat.ino, sameAs);
    found.set(name, {
      mode: stat.mode.toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: stat.mtimeNs.toString(),
      ...(!stat.isDirectory() && { links: Number(stat.nlink), sameAs }),
      ...((stat.isBlockDevice() || stat.isCharacterDevice()) && { device: stat.rdev.toString() }),
      ...(stat.isSymbolicLink() && { target: readlinkSync(full, 'latin1') }),
      ...(stat.isFile() && { content: hashFile(full) }),
      xattrs: keepXattr === undefined ? {} : xattrsOf(readXattrs(full), keepXattr),
    });
  }
  return found;
}

/** The same of a tree. */
export function describeTree(root: Directory, objects: ObjectSource): Map<string, PathDescription> {
  const found = new Map<string, PathDescription>();
  const links = countLinks(root);
  const first = new Map<Inode, string>();
  const pending: [ByteString, Inode][] = [['' as ByteString, root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, inode] = next;
    const name = byteStringToText(path);
    const { mode, uid, gid, mtimeSec, mtimeNsec, xattrs } = inode.stat;
    const common = {
      owner: `${uid}:${gid}`,
      mtime: (BigInt(mtimeSec) * 1_000_000_000n + BigInt(mtimeNsec)).toString(),
      xattrs: xattrsOf(xattrs, () => true),
    };
    if (inode instanceof Directory) {
      found.set(name, { ...common, mode: (mode | S_IFDIR).toString(8) });
      const prefix = path === '' ? '' : `${path}/`;
      const children = [...inode.entries()].map(([child, each]): [ByteString, Inode] => [
        `${prefix}${child}` as ByteString,
        each,
      ]);
      pending.push(...children.reverse());
      continue;
    }
    const { content } = inode;
    const sameAs = first.get(inode) ?? name;
    first.set(inode, sameAs);
    found.set(name, {
      ...common,
      mode: (mode | fileTypeBits(content)).toString(8),
      links: links.get(inode) ?? 0,
      sameAs,
      ...('rdev' in content && { device: content.rdev.toString() }),
      ...(content.type === 'symlink' && { target: content.target }),
      ...(content.type === 'regular' && { content: sha256(readFile(content.file, objects)) }),
    });
  }
  return found;
}

function xattrsOf(xattrs: Xattrs, keep: (name: ByteString) => boolean): Record<string, string> {
  const kept = [...xattrs].filter(([name]) => keep(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(kept.map(([name, value]) => [name, Buffer.from(value, 'latin1').toString('hex')]));
}

function hashFile(path: Buffer): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(path, 'r');
  try {
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
