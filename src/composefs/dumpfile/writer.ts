/** Writing trees as dumpfiles in the form of composefs-rs (spec 30 §11). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import type { Leaf } from '../tree/inode.js';
import { Directory } from '../tree/inode.js';
import { countSharedLinks } from '../tree/walk.js';
import { escapeBytes } from './escape.js';
import { directoryLine, hardlinkLine, leafLine } from './format.js';
import { dumpOrder } from './order.js';

/** The lines of the whole tree, each with its LF, in pure ASCII: joined they are the dumpfile. */
export function writeDumpfile(root: Directory): Generator<string> {
  return dumpSingleDir(root, byteStringFromText('/'), countSharedLinks(root));
}

/**
 * The lines of one subtree with full paths.
 *
 * @param links the link counts of the whole tree: a leaf may have names outside the subtree.
 */
export function* dumpSingleDir(
  directory: Directory,
  path: ByteString,
  links: ReadonlyMap<Leaf, number>,
): Generator<string> {
  const firstPaths = new Map<Leaf, string>();
  for (const { escapedPath, inode } of dumpOrder(directory, path)) {
    if (inode instanceof Directory) {
      yield `${directoryLine(escapedPath, inode.stat, directoryLinks(inode))}\n`;
      continue;
    }
    const nlink = links.get(inode) ?? 1;
    if (nlink > 1) {
      const first = firstPaths.get(inode);
      if (first !== undefined) {
        yield `${hardlinkLine(escapedPath, first)}\n`;
        continue;
      }
      firstPaths.set(inode, escapedPath);
    }
    yield `${leafLine(escapedPath, inode.stat, inode.content, nlink)}\n`;
  }
}

/** The line, with its LF, of one leaf: a full one with the link count that it has in the whole tree. */
export function dumpSingleFile(leaf: Leaf, path: ByteString, links: ReadonlyMap<Leaf, number>): string {
  return `${leafLine(escapeBytes(path), leaf.stat, leaf.content, links.get(leaf) ?? 1)}\n`;
}

/** The link count of a directory: its name, its `.`, and the `..` of each subdirectory. */
export function directoryLinks(directory: Directory): number {
  let links = 2;
  for (const child of directory.children()) {
    if (child instanceof Directory) links += 1;
  }
  return links;
}
