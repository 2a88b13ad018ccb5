import type { ByteString } from '../../bytes/byte-string.js';
import type { DirectoryList, Inode } from '../tree/inode.js';
import { Directory, Leaf } from '../tree/inode.js';
import { escapeBytes } from './escape.js';

export interface DumpNode {
  /** As it is written; what comes after the last `/` is the escaped name. */
  readonly escapedPath: string;
  /** A leaf with one name is not the one that the tree would show, but its like. */
  readonly inode: Inode;
}

export interface DumpOrderOptions {
  /** How names are written; default as in dumpfiles. */
  readonly escapeName?: (bytes: ByteString) => string;
}

/** A directory on the way to the current node. */
interface Level {
  readonly list: DirectoryList;
  /** Its escaped path, with a slash at its end. */
  readonly prefix: string;
  /** The index of the entry that comes next. */
  next: number;
}

/**
 * Goes through a tree in the order of lines in a dumpfile: depth first, a parent before its children, these in byte order of
 * their names.
 */
export class DumpCursor implements DumpNode {
  escapedPath: string;
  inode: Inode;
  readonly #escapeName: (bytes: ByteString) => string;
  readonly #levels: Level[] = [];
  #isBefore = true;

  constructor(start: Directory, path: ByteString, { escapeName = escapeBytes }: DumpOrderOptions = {}) {
    this.#escapeName = escapeName;
    this.escapedPath = escapeName(path);
    this.inode = start;
  }

  /** Goes to the next node, from before the first one on; false if there is none. */
  next(): boolean {
    if (this.#isBefore) {
      this.#isBefore = false;
      this.#enter();
      return true;
    }
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const { names, children, leaves } = level.list;
      const name = names[level.next];
      const child = children[level.next++];
      if (name === undefined || child === undefined) {
        this.#levels.pop();
        continue;
      }
      this.escapedPath = level.prefix + this.#escapeName(name);
      this.inode = typeof child === 'number' ? new Leaf(leaves.stat(child), leaves.content(child)) : child;
      this.#enter();
      return true;
    }
    return false;
  }

  /** The entries of the current node come next, if it has some. */
  #enter(): void {
    if (!(this.inode instanceof Directory) || this.inode.size === 0) return;
    const prefix = this.escapedPath.endsWith('/') ? this.escapedPath : `${this.escapedPath}/`;
    this.#levels.push({ list: this.inode.list(), prefix, next: 0 });
  }
}

/** {@link DumpCursor} as a sequence. */
export function* dumpOrder(start: Directory, path: ByteString, options?: DumpOrderOptions): Generator<DumpNode> {
  const cursor = new DumpCursor(start, path, options);
  while (cursor.next()) yield { escapedPath: cursor.escapedPath, inode: cursor.inode };
}
