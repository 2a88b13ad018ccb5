import assert from 'node:assert/strict';
import type { Inode, Leaf } from '../../src/composefs/tree/inode.js';
import { Directory } from '../../src/composefs/tree/inode.js';
import type { Stat } from '../../src/composefs/tree/stat.js';

/** Fails unless both trees have the same names, stats, contents and hard links. */
export function assertSameTree(actual: Directory, expected: Directory): void {
  assert.deepEqual(describeTree(actual), describeTree(expected));
}

/** Every entry as plain data, depth first; a further name of a leaf names the first. */
export function describeTree(root: Directory): unknown[] {
  const lines: unknown[] = [];
  const firstPaths = new Map<Leaf, string>();
  const pending: [string, Inode][] = [['/', root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, inode] = next;
    if (inode instanceof Directory) {
      lines.push([path, 'directory', describeStat(inode.stat)]);
      const children = [...inode.entries()].map(([name, child]): [string, Inode] => [`${path}${name}/`, child]);
      pending.push(...children.reverse());
    } else {
      const first = firstPaths.get(inode);
      if (first === undefined) firstPaths.set(inode, path);
      lines.push(first === undefined ? [path, inode.content, describeStat(inode.stat)] : [path, 'link to', first]);
    }
  }
  return lines;
}

function describeStat(stat: Stat): unknown {
  return { ...stat, xattrs: [...stat.xattrs].sort(([a], [b]) => (a < b ? -1 : 1)) };
}
