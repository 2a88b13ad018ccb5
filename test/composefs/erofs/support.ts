import assert from 'node:assert/strict';
import { type ByteString, byteStringFromText } from '../../../src/bytes/byte-string.js';
import { type ErofsOptions, type FormatVersion, writeErofs } from '../../../src/composefs/erofs/index.js';
import { directoryEntries } from '../../../src/composefs/erofs/reader/directory-block.js';
import { ErofsImage } from '../../../src/composefs/erofs/reader/image.js';
import type { ErofsInode } from '../../../src/composefs/erofs/reader/inode.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { Directory, Leaf, type LeafContent } from '../../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../../src/composefs/tree/stat.js';
import { parseDumpfile } from '../../support/at-once.js';
import { sha256 } from '../../support/sha256.js';

export const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -';

/** The tree of some dumpfile lines in the RS dialect. */
export function tree(...lines: string[]): Directory {
  return parseDumpfile(Buffer.from(lines.map((line) => `${line}\n`).join('')), 'sha256');
}

export function image(version: FormatVersion, ...lines: string[]): Buffer {
  return writeErofs(tree(...lines), { version, algorithm: 'sha256' });
}

export function write(root: Directory, version: FormatVersion, options: Partial<ErofsOptions> = {}): Buffer {
  return writeErofs(root, { version, algorithm: 'sha256', ...options });
}

export interface ExpectedImage {
  readonly size?: number;
  readonly sha256?: string;
  readonly verity?: string;
}

export function assertImage(data: Buffer, expected: ExpectedImage): void {
  if (expected.size !== undefined) assert.equal(data.length, expected.size);
  if (expected.sha256 !== undefined) assert.equal(sha256(data), expected.sha256);
  if (expected.verity !== undefined) assert.equal(computeVerity('sha256', data), expected.verity);
}

export function name(text: string): ByteString {
  return byteStringFromText(text);
}

export function stat(mode: number, fields: Partial<Stat> = {}): Stat {
  return { mode, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS, ...fields };
}

export function directory(entries: Readonly<Record<string, Directory | Leaf>> = {}, of: Stat = stat(0o755)): Directory {
  const result = new Directory(of);
  for (const [entry, inode] of Object.entries(entries)) result.insert(name(entry), inode);
  return result;
}

export function leaf(content: LeafContent, of: Stat = stat(0o644)): Leaf {
  return new Leaf(of, content);
}

export function inline(text: string | Buffer): LeafContent {
  return { type: 'regular', file: { storage: 'inline', data: Buffer.from(text) } };
}

export const WHITEOUT: LeafContent = { type: 'character-device', rdev: 0 };

export function xattrs(pairs: Readonly<Record<string, string>>): Map<ByteString, ByteString> {
  return new Map(Object.entries(pairs).map(([key, value]) => [name(key), name(value)]));
}

/** The nid of an entry; undefined if there is none of that name. */
export function childNid(erofs: ErofsImage, directory: ErofsInode, childName: ByteString): number | undefined {
  for (const part of erofs.directoryParts(directory)) {
    for (const entry of directoryEntries(part)) if (entry.name === childName) return entry.nid;
  }
  return undefined;
}

/** The inode at a path of an image. */
export function inodeAt(data: Buffer, path: string): ErofsInode {
  const erofs = ErofsImage.open(data);
  let inode = erofs.root();
  for (const part of path.split('/').filter((component) => component !== '')) {
    const nid = childNid(erofs, inode, name(part));
    assert.ok(nid !== undefined, `no ${part} in ${path}`);
    inode = erofs.inode(nid);
  }
  return inode;
}

/** `name=value` of all xattrs as stored, shared ones first. */
export function storedXattrs(data: Buffer, path: string): string[] {
  return [...inodeAt(data, path).xattrs()].map((xattr) => `${xattr.name}=${xattr.valueBytes}`);
}

/** The tree `simple` of the reference's tests (spec 20 §14.1). */
export function simpleTree(): Directory {
  return directory({
    fifo: leaf({ type: 'fifo' }, stat(0)),
    'regular-inline': leaf(inline('hihi'), stat(0)),
    'regular-external': leaf(
      { type: 'regular', file: { storage: 'external', id: parseObjectId('sha256', '5a'.repeat(32)), size: 1234 } },
      stat(0),
    ),
    chrdev: leaf({ type: 'character-device', rdev: 123 }, stat(0)),
    blkdev: leaf({ type: 'block-device', rdev: 123 }, stat(0)),
    socket: leaf({ type: 'socket' }, stat(0)),
    symlink: leaf({ type: 'symlink', target: name('/target') }, stat(0)),
  });
}
