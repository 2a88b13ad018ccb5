/** Writing trees as dumpfiles in the form of composefs-rs (spec 30 §11). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import type { Leaf } from '../tree/inode.js';
import { Directory } from '../tree/inode.js';
import { countSharedLinks } from '../tree/walk.js';
import { escapeBytes } from './escape.js';
import { directoryLine, hardlinkLine, leafLine } from './format.js';
import { DumpCursor } from './order.js';

/** The lines of the whole tree, each with its LF, in pure ASCII: joined they are the dumpfile. */
export function writeDumpfile(root: Directory): Generator<string> {
  return dumpSingleDir(root, byteStringFromText('/'), countSharedLinks(root));
}

const PIECE_LENGTH = 64 * 1024;

/** {@link writeDumpfile} in pieces of many lines: a third of the time of a sequence of lines. */
export function* dumpfilePieces(root: Directory): Generator<string> {
  const lines = new DumpLines(root, byteStringFromText('/'), countSharedLinks(root));
  let piece = '';
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    piece += line;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  yield piece;
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
  const lines = new DumpLines(directory, path, links);
  for (let line = lines.next(); line !== undefined; line = lines.next()) yield line;
}

class DumpLines {
  readonly #cursor: DumpCursor;
  readonly #links: ReadonlyMap<Leaf, number>;
  readonly #firstPaths = new Map<Leaf, string>();

  constructor(directory: Directory, path: ByteString, links: ReadonlyMap<Leaf, number>) {
    this.#cursor = new DumpCursor(directory, path);
    this.#links = links;
  }

  /** With its LF; undefined after the last one. */
  next(): string | undefined {
    if (!this.#cursor.next()) return undefined;
    const { escapedPath, inode } = this.#cursor;
    if (inode instanceof Directory) return `${directoryLine(escapedPath, inode.stat, directoryLinks(inode))}\n`;
    const nlink = this.#links.get(inode) ?? 1;
    if (nlink > 1) {
      const first = this.#firstPaths.get(inode);
      if (first !== undefined) return `${hardlinkLine(escapedPath, first)}\n`;
      this.#firstPaths.set(inode, escapedPath);
    }
    return `${leafLine(escapedPath, inode.stat, inode.content, nlink)}\n`;
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
