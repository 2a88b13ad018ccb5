/** What `composefs-info` of the C tools prints besides dumps (spec 70 D2). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import { escapeBytes, escapeUnprintable } from '../dumpfile/escape.js';
import { dumpOrder } from '../dumpfile/order.js';
import { objectPathname } from '../fsverity/object-id.js';
import type { Leaf } from '../tree/inode.js';
import { Directory } from '../tree/inode.js';
import { inodes } from '../tree/walk.js';

/** The lines of `composefs-info ls`, each with its LF. Only the first name of a file shows its object. */
export function* listTree(root: Directory): Generator<string> {
  const seen = new Set<Leaf>();
  for (const { escapedPath, inode } of dumpOrder(root, byteStringFromText('/'), { escapeName: escapeUnprintable })) {
    if (inode === root) continue;
    if (inode instanceof Directory) {
      yield `${escapedPath}/\t\n`;
    } else {
      yield `${escapedPath}${seen.has(inode) ? '' : reference(inode)}\n`;
      seen.add(inode);
    }
  }
}

function reference(leaf: Leaf): string {
  if (leaf.content.type === 'symlink') return `\t-> ${escapeBytes(leaf.content.target)}`;
  const object = objectPath(leaf);
  return object === undefined ? '' : `\t@ ${escapeBytes(object)}`;
}

/** The paths of all objects that files refer to, each once, in byte order. */
export function objectPaths(roots: Iterable<Directory>): ByteString[] {
  const paths = new Set<ByteString>();
  for (const root of roots) {
    for (const inode of inodes(root)) {
      const path = inode instanceof Directory ? undefined : objectPath(inode);
      if (path !== undefined) paths.add(path);
    }
  }
  return [...paths].sort();
}

function objectPath({ content }: Leaf): ByteString | undefined {
  if (content.type !== 'regular') return undefined;
  const { file } = content;
  if (file.storage === 'external-no-verity') return file.payload;
  if (file.storage !== 'external') return undefined;
  // Empty: the image names no path.
  return file.payload === '' ? undefined : (file.payload ?? (objectPathname(file.id) as ByteString));
}
