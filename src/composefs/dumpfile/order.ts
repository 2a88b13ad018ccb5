import type { ByteString } from '../../bytes/byte-string.js';
import type { Inode } from '../tree/inode.js';
import { Directory } from '../tree/inode.js';
import { escapeBytes } from './escape.js';

export interface DumpNode {
  /** As it is written; what comes after the last `/` is the escaped name. */
  readonly escapedPath: string;
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
  const stack = [{ directory: start, prefix, names: start.names().values() }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { done, value: name } = top.names.next();
    if (done === true) {
      stack.pop();
      continue;
    }
    const inode = top.directory.lookup(name);
    if (inode === undefined) continue;
    const escapedPath = top.prefix + escapeName(name);
    yield { escapedPath, inode };
    if (inode instanceof Directory && inode.size > 0) {
      stack.push({ directory: inode, prefix: `${escapedPath}/`, names: inode.names().values() });
    }
  }
}
