import type { ByteString } from '../../bytes/byte-string.js';

/**
 * Compares which names lead to one inode, in two trees that are walked together: among the names that both trees have,
 * a name is told by the first name of its inode.
 */
export class SameLinks {
  readonly #first = new Map<unknown, ByteString>();
  readonly #second = new Map<unknown, ByteString>();

  /** @param first inode of the path in the first tree; undefined if it has no other name. */
  areSame(path: ByteString, first: unknown, second: unknown): boolean {
    return firstName(this.#first, first, path) === firstName(this.#second, second, path);
  }
}

function firstName(names: Map<unknown, ByteString>, inode: unknown, path: ByteString): ByteString {
  if (inode === undefined) return path;
  const known = names.get(inode);
  if (known !== undefined) return known;
  names.set(inode, path);
  return path;
}
