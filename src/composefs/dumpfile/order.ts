import type { ByteString } from '../../bytes/byte-string.js';
import type { Inode } from '../tree/inode.js';
import { Directory, Leaf } from '../tree/inode.js';
import { escapeBytes } from './escape.js';

export interface DumpNode {
  /** As it is written; what comes after the last `/` is the escaped name. */
  readonly escapedPath: string;
  /** A leaf with one name is not the one that the tree would show, but its like. */
  readonly inode: Inode;
}

/**
 * The order of lines in a dumpfile: depth first, a parent before its children, these in byte order of their names.
 *
 * @param options.escapeName how names are written; default as in dumpfiles.
 */
export function* dumpOrder(
  start: Directory,
  path: ByteString,
  { escapeName = escapeBytes }: { readonly escapeName?: (bytes: ByteString) => string } = {},
): Generator<DumpNode> {
  const startPath = escapeName(path);
  yield { escapedPath: startPath, inode: start };
  const prefix = startPath.endsWith('/') ? startPath : `${startPath}/`;
  const stack = [{ list: start.list(), prefix, next: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { names, children, leaves } = top.list;
    const name = names[top.next];
    const child = children[top.next++];
    if (name === undefined || child === undefined) {
      stack.pop();
      continue;
    }
    const escapedPath = top.prefix + escapeName(name);
    yield {
      escapedPath,
      inode: typeof child === 'number' ? new Leaf(leaves.stat(child), leaves.content(child)) : child,
    };
    if (child instanceof Directory && child.size > 0) {
      stack.push({ list: child.list(), prefix: `${escapedPath}/`, next: 0 });
    }
  }
}
