import type { ByteString } from '../../bytes/byte-string.js';
import type { Inode } from './inode.js';
import type { Stat } from './stat.js';

/** A directory: names to inodes. It has exactly one parent; directories cannot be hard linked. */
export class Directory {
  stat: Stat;
  readonly #entries = new Map<ByteString, Inode>();
  /** Names in byte order, made when asked for; undefined after a name came or went. */
  #sorted: readonly ByteString[] | undefined;

  constructor(stat: Stat) {
    this.stat = stat;
  }

  get size(): number {
    return this.#entries.size;
  }

  lookup(name: ByteString): Inode | undefined {
    return this.#entries.get(name);
  }

  /** Replaces anything of that name, also a whole subtree. True if the name was new. */
  insert(name: ByteString, inode: Inode): boolean {
    const { size } = this.#entries;
    this.#entries.set(name, inode);
    if (this.#entries.size === size) return false;
    this.#sorted = undefined;
    return true;
  }

  /** A directory over a directory gives it its stat and leaves the entries; anything else replaces. */
  merge(name: ByteString, inode: Inode): void {
    const existing = this.#entries.get(name);
    if (existing instanceof Directory && inode instanceof Directory) existing.stat = inode.stat;
    else this.insert(name, inode);
  }

  /** Removes an entry, if it is there. */
  remove(name: ByteString): void {
    if (this.#entries.delete(name)) this.#sorted = undefined;
  }

  /** Drops all entries, keeps the stat. */
  clear(): void {
    this.#entries.clear();
    this.#sorted = undefined;
  }

  /** The names in byte order. */
  names(): readonly ByteString[] {
    // One char per byte: the default order of strings is byte order.
    this.#sorted ??= [...this.#entries.keys()].sort();
    return this.#sorted;
  }

  /** What the names lead to, in no particular order. */
  inodes(): IterableIterator<Inode> {
    return this.#entries.values();
  }

  /** The entries in byte order of their names. */
  *entries(): Generator<readonly [ByteString, Inode]> {
    for (const name of this.names()) {
      const inode = this.#entries.get(name);
      if (inode !== undefined) yield [name, inode];
    }
  }
}
