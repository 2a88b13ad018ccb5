/**
 * Whole-tree operations. Trees can be deeper than the call stack: nothing here recurses.
 */

import type { ByteString } from '../../bytes/byte-string.js';
import { type Child, Directory, type Inode, Leaf, type LeafContent, type RegularFile } from './inode.js';
import type { LeafTable } from './leaf-table.js';
import { NO_XATTRS, type Stat } from './stat.js';

/** The directory itself and all below it, a parent before its children; else in no particular order. */
export function* directories(root: Directory): Generator<Directory> {
  const pending = [root];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    yield directory;
    for (const child of directory.children()) {
      if (child instanceof Directory) pending.push(child);
    }
  }
}

/** Every inode once: the root, all directories, and each leaf however many names it has. */
export function* inodes(root: Directory): Generator<Inode> {
  const seen = new Set<Leaf>();
  for (const directory of directories(root)) {
    yield directory;
    for (const inode of directory.inodes()) {
      if (inode instanceof Directory || seen.has(inode)) continue;
      seen.add(inode);
      yield inode;
    }
  }
}

/** For each leaf, the number of directory entries that refer to it. */
export function countLinks(root: Directory): Map<Leaf, number> {
  return countLeaves(root, (directory) => directory.inodes());
}

/**
 * {@link countLinks} without the leaves of which it is plain that they have one name: nobody has asked for them, so that
 * nobody can have given them another.
 */
export function countSharedLinks(root: Directory): Map<Leaf, number> {
  return countLeaves(root, (directory) => directory.children());
}

function countLeaves(root: Directory, entries: (directory: Directory) => Iterable<Child>): Map<Leaf, number> {
  const links = new Map<Leaf, number>();
  for (const directory of directories(root)) {
    for (const child of entries(directory)) {
      if (child instanceof Leaf) links.set(child, (links.get(child) ?? 0) + 1);
    }
  }
  return links;
}

/** Gives every inode, once, the stat that `map` makes of its own. */
export function forEachStat(root: Directory, map: (stat: Stat) => Stat): void {
  mapStats(root, map, () => true);
}

/** @param concerns whether `map` may change the stat of a leaf that is a row. */
function mapStats(
  root: Directory,
  map: (stat: Stat) => Stat,
  concerns: (leaves: LeafTable, row: number) => boolean,
): void {
  const seen = new Set<Leaf>();
  for (const directory of directories(root)) {
    directory.stat = map(directory.stat);
    for (const child of directory.children()) {
      if (!(child instanceof Leaf) || seen.has(child)) continue;
      seen.add(child);
      child.stat = map(child.stat);
    }
    directory.mapRowStats(map, concerns);
  }
}

/** Keeps the xattrs, on every inode, whose name passes. */
export function filterXattrs(root: Directory, keep: (name: ByteString) => boolean): void {
  const filter = (stat: Stat): Stat => {
    if (stat.xattrs.size === 0) return stat;
    const kept = [...stat.xattrs].filter(([name]) => keep(name));
    if (kept.length === stat.xattrs.size) return stat;
    return { ...stat, xattrs: kept.length === 0 ? NO_XATTRS : new Map(kept) };
  };
  mapStats(root, filter, (leaves, row) => leaves.xattrs(row).size > 0);
}

/** A tree of its own with the same hard links. The stats, which are immutable, are shared. */
export function cloneTree(root: Directory): Directory {
  return mapRegular(root, (file) => file);
}

/** {@link cloneTree} with other file contents; `map` is called once for each regular file, whatever its link count. */
export function mapRegular(root: Directory, map: (file: RegularFile) => RegularFile): Directory {
  const copies = new Map<Leaf, Leaf>();
  const copyOf = (leaf: Leaf): Leaf => {
    let copy = copies.get(leaf);
    if (copy === undefined) {
      copy = new Leaf(leaf.stat, mapContent(leaf.content, map));
      copies.set(leaf, copy);
    }
    return copy;
  };
  const clone = new Directory(root.stat);
  const pending: [Directory, Directory][] = [[root, clone]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [from, to] = next;
    const { names, children, leaves } = from.list();
    for (const [index, name] of names.entries()) {
      const inode = children[index];
      if (inode instanceof Directory) {
        const child = new Directory(inode.stat);
        to.insert(name, child);
        pending.push([inode, child]);
      } else if (inode instanceof Leaf) {
        to.insert(name, copyOf(inode));
      } else if (inode !== undefined) {
        to.insertLeaf(name, leaves.stat(inode), mapContent(leaves.content(inode), map));
      }
    }
  }
  return clone;
}

function mapContent(content: LeafContent, map: (file: RegularFile) => RegularFile): LeafContent {
  return content.type === 'regular' ? { type: 'regular', file: map(content.file) } : content;
}

/**
 * Empties a directory and all below it, which nobody uses any more: the table of the tree gets back the rows of their
 * leaves. An image may put 100,000 files in the place of as many in each of its layers.
 */
export function clearTree(root: Directory): void {
  // All of them first: one that is empty no longer leads to those below.
  for (const directory of [...directories(root)]) directory.clear();
}

/** Sets every mtime to the epoch (`mkcomposefs --use-epoch`). */
export function resetMtimes(root: Directory): void {
  forEachStat(root, (stat) => ({ ...stat, mtimeSec: 0, mtimeNsec: 0 }));
}

/** Removes all block and character devices, whiteouts too (`mkcomposefs --skip-devices`). */
export function removeDevices(root: Directory): void {
  for (const directory of directories(root)) {
    const { names, children, leaves } = directory.list();
    const devices = names.filter((_, index) => {
      const child = children[index];
      if (child === undefined || child instanceof Directory) return false;
      const { type } = child instanceof Leaf ? child.content : leaves.content(child);
      return type.endsWith('-device');
    });
    for (const name of devices) directory.remove(name);
  }
}
