import type { ByteString } from '../../bytes/byte-string.js';
import { Leaf, type LeafContent } from './leaf.js';
import { LeafTable } from './leaf-table.js';
import type { Stat } from './stat.js';

export {
  deviceNumbers,
  fileSize,
  fileTypeBits,
  isWhiteout,
  Leaf,
  type LeafContent,
  type RegularFile,
  WHITEOUT,
} from './leaf.js';

/** What a name in a directory leads to. */
export type Inode = Directory | Leaf;

/** What a directory holds: a number is the row of a leaf that has this name only, in the {@link LeafTable} of the tree. */
export type Child = Directory | Leaf | number;

/** The entries of a directory in byte order of their names, valid until an entry comes or goes. */
export interface DirectoryList {
  readonly names: readonly ByteString[];
  readonly children: readonly Child[];
  /** Has the rows. */
  readonly leaves: LeafTable;
}

/**
 * Up to here a name is put in its place among the others by moving those; above that a map does it, which takes 30 to 45 bytes
 * more for each entry. A million files, 40 in a directory, in another order than their names': 40 to 70 MiB less, and 3 % less
 * time, than with a map from 32 on; with 1,000 in a directory both take as long.
 */
const MOVED_MAX = 1024;

/**
 * A directory: names to inodes. It has exactly one parent; directories cannot be hard linked.
 *
 * A leaf of which only its content and name have been told is a row of a table, which the directories of a tree share.
 * Whoever asks for it gets a {@link Leaf}, which then stays.
 */
export class Directory {
  stat: Stat;
  /** The entries in byte order; empty while there is a map. */
  #names: ByteString[] = [];
  #children: Child[] = [];
  /** The entries while names come and go in any order. */
  #map: Map<ByteString, Child> | undefined;
  /** The names have been given out, and so must not change any more. */
  #isShared = false;
  #leaves: LeafTable | undefined;

  constructor(stat: Stat) {
    this.stat = stat;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#map?.size ?? this.#names.length;
  }

  /** What a name leads to; undefined if there is no such entry. */
  lookup(name: ByteString): Inode | undefined {
    if (this.#map !== undefined) {
      const child = this.#map.get(name);
      if (typeof child !== 'number') return child;
      const leaf = this.#leafOf(child);
      this.#map.set(name, leaf);
      return leaf;
    }
    const index = this.#find(name);
    return index < 0 ? undefined : this.#inodeAt(index);
  }

  /** Replaces anything of that name, also a whole subtree. True if the name was new. */
  insert(name: ByteString, inode: Inode): boolean {
    if (inode instanceof Directory) inode.#leaves ??= this.#table();
    return this.#put(name, inode);
  }

  /** @internal {@link insert} of a new leaf that nobody else has: it takes a fifth of the memory. */
  insertLeaf(name: ByteString, stat: Stat, content: LeafContent): boolean {
    return this.#put(name, this.#table().add(stat, content) ?? new Leaf(stat, content));
  }

  /** @internal The stat of the leaf of a name. */
  leafStat(name: ByteString): Stat {
    const child = this.#leafChild(name);
    return typeof child === 'number' ? this.#table().stat(child) : child.stat;
  }

  /** @internal Gives the leaf of a name another content, and another stat if there is one: it has them under all names. */
  updateLeaf(name: ByteString, content: LeafContent, stat?: Stat): void {
    const child = this.#leafChild(name);
    if (typeof child !== 'number') {
      child.content = content;
      child.stat = stat ?? child.stat;
      return;
    }
    const leaves = this.#table();
    if (leaves.setContent(child, content) && (stat === undefined || leaves.setStat(child, stat))) return;
    this.#put(name, new Leaf(stat ?? leaves.stat(child), content));
  }

  #leafChild(name: ByteString): Leaf | number {
    const child = this.child(name);
    if (child instanceof Leaf || typeof child === 'number') return child;
    throw new Error('there is no leaf of that name');
  }

  /** A directory over a directory gives it its stat and leaves the entries; anything else replaces. */
  merge(name: ByteString, inode: Inode): void {
    const existing = inode instanceof Directory ? this.lookup(name) : undefined;
    if (existing instanceof Directory) existing.stat = inode.stat;
    else this.insert(name, inode);
  }

  /** Removes an entry, if it is there. */
  remove(name: ByteString): void {
    if (this.#map === undefined) {
      const index = this.#find(name);
      if (index < 0) return;
      if (!this.#isShared && (this.#names.length <= MOVED_MAX || index === this.#names.length - 1)) {
        this.#names.splice(index, 1);
        for (const child of this.#children.splice(index, 1)) this.#forget(child);
        return;
      }
    }
    const map = this.#unsorted();
    this.#forget(map.get(name));
    map.delete(name);
  }

  /** Drops all entries, keeps the stat. */
  clear(): void {
    for (const child of this.children()) this.#forget(child);
    this.#setSorted([], []);
  }

  /** The names in byte order. */
  names(): readonly ByteString[] {
    this.#sort();
    this.#isShared = true;
    return this.#names;
  }

  /** What the names lead to, in no particular order. */
  *inodes(): IterableIterator<Inode> {
    for (const [, inode] of this.entries()) yield inode;
  }

  /** The entries in byte order of their names. */
  *entries(): Generator<readonly [ByteString, Inode]> {
    for (const name of this.names()) {
      const inode = this.lookup(name);
      if (inode !== undefined) yield [name, inode];
    }
  }

  /** @internal {@link lookup} that makes no leaf. */
  child(name: ByteString): Child | undefined {
    return this.#map === undefined ? this.#children[this.#find(name)] : this.#map.get(name);
  }

  /** @internal What the names lead to, in no particular order. Not to be kept. */
  children(): Iterable<Child> {
    return this.#map?.values() ?? this.#children;
  }

  /** @internal All entries. Not to be kept. */
  list(): DirectoryList {
    this.#sort();
    return { names: this.#names, children: this.#children, leaves: this.#table() };
  }

  /** @internal Gives the leaves that are rows, and that it `concerns`, the stats that `map` makes of theirs. */
  mapRowStats(map: (stat: Stat) => Stat, concerns: (leaves: LeafTable, row: number) => boolean = () => true): void {
    const { names, children, leaves } = this.list();
    for (const [index, child] of children.entries()) {
      const name = names[index];
      if (name === undefined || typeof child !== 'number' || !concerns(leaves, child)) continue;
      const stat = leaves.stat(child);
      const mapped = map(stat);
      if (mapped === stat || leaves.setStat(child, mapped)) continue;
      this.#put(name, new Leaf(mapped, leaves.content(child)));
    }
  }

  #table(): LeafTable {
    this.#leaves ??= new LeafTable();
    return this.#leaves;
  }

  /** True if the name was new. */
  #put(name: ByteString, child: Child): boolean {
    if (this.#map === undefined) {
      const index = this.#find(name);
      if (index >= 0) {
        this.#forget(this.#children[index]);
        this.#children[index] = child;
        return false;
      }
      if (!this.#isShared && this.#putAt(~index, name, child)) return true;
    }
    const map = this.#unsorted();
    const existing = map.get(name);
    map.set(name, child);
    if (existing === undefined) return true;
    this.#forget(existing);
    return false;
  }

  /** False if too many entries would have to make room. */
  #putAt(index: number, name: ByteString, child: Child): boolean {
    if (index === this.#names.length) {
      this.#names.push(name);
      this.#children.push(child);
      return true;
    }
    if (this.#names.length > MOVED_MAX) return false;
    this.#names.splice(index, 0, name);
    this.#children.splice(index, 0, child);
    return true;
  }

  /** Its place among the sorted names; `~` of the place where it belongs if it is not there. */
  #find(name: ByteString): number {
    const names = this.#names;
    let low = 0;
    let high = names.length;
    // Mostly names come in order.
    const last = names[high - 1];
    if (last === undefined || last < name) return ~high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((names[middle] ?? name) < name) low = middle + 1;
      else high = middle;
    }
    return names[low] === name ? low : ~low;
  }

  #inodeAt(index: number): Inode | undefined {
    const child = this.#children[index];
    if (typeof child !== 'number') return child;
    const leaf = this.#leafOf(child);
    this.#children[index] = leaf;
    return leaf;
  }

  /** The row stays what it is: whoever reads the list of a moment ago may still come to it. */
  #leafOf(row: number): Leaf {
    const leaves = this.#table();
    return new Leaf(leaves.stat(row), leaves.content(row));
  }

  #forget(child: Child | undefined): void {
    if (typeof child === 'number') this.#table().release(child);
  }

  #unsorted(): Map<ByteString, Child> {
    if (this.#map !== undefined) return this.#map;
    const map = new Map<ByteString, Child>();
    for (const [index, name] of this.#names.entries()) {
      const child = this.#children[index];
      if (child !== undefined) map.set(name, child);
    }
    this.#setSorted([], []);
    this.#map = map;
    return map;
  }

  #sort(): void {
    const map = this.#map;
    if (map === undefined) return;
    // One char per byte: the default order of strings is byte order.
    const names = [...map.keys()].sort();
    const children: Child[] = [];
    for (const name of names) {
      const child = map.get(name);
      if (child !== undefined) children.push(child);
    }
    this.#setSorted(names, children);
  }

  #setSorted(names: ByteString[], children: Child[]): void {
    this.#names = names;
    this.#children = children;
    this.#map = undefined;
    this.#isShared = false;
  }
}
