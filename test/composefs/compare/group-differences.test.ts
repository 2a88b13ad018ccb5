import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareTrees } from '../../../src/composefs/compare/compare-trees.js';
import { DirectoryTree } from '../../../src/composefs/compare/directory-tree.js';
import { groupDifferences } from '../../../src/composefs/compare/group-differences.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import type { Stat } from '../../../src/composefs/tree/stat.js';
import { directory, inline, leaf, name, stat, xattrs } from '../erofs/support.js';

/** Ten files and what `change` makes of their stats. */
async function grouped(change: (stat: Stat, index: number) => Stat): Promise<[what: string, count: number][]> {
  const original = (index: number): Stat =>
    stat(0o4755, {
      mtimeSec: 1000 + index,
      mtimeNsec: 5 + index,
      xattrs: xattrs({ 'security.capability': 'x', 'user.a': '1' }),
    });
  const [before, after] = [new Directory(stat(0o755)), new Directory(stat(0o755))];
  for (let index = 0; index < 10; index++) {
    before.insert(name(`f${index}`), new Leaf(original(index), inline('x')));
    after.insert(name(`f${index}`), new Leaf(change(original(index), index), inline('x')));
  }
  const trees = [before, after].map((root) => DirectoryTree.of(root, 'sha256')) as [DirectoryTree, DirectoryTree];
  return groupDifferences(await compareTrees(...trees)).map(({ what, count }) => [what, count]);
}

test('what was done to many entries alike is one item', async () => {
  assert.deepEqual(await grouped((of) => ({ ...of, mtimeNsec: 0 })), [['time without nanoseconds', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, mtimeSec: 0, mtimeNsec: 0 })), [['time -> 0.000000000', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, mtimeSec: of.mtimeSec - 3600 })), [['time shifted by -3600 s', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, uid: 1000, gid: 1000 })), [['owner 0:0 -> 1000:1000', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, mode: 0o755 })), [['mode without 04000', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, mode: 0o4757 })), [['mode with 0002', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, mode: 0o660 })), [['mode 04755 -> 0660', 10]]);
  assert.deepEqual(await grouped((of) => ({ ...of, xattrs: xattrs({ 'user.a': '2', 'user.b': '' }) })), [
    ['xattr security.capability removed', 10],
    ['xattr user.a changed', 10],
    ['xattr user.b added', 10],
  ]);
});

test('of several reasons that which explains most is taken, and what only few share is none', async () => {
  const found = await grouped((of, index) => {
    if (index < 6) return { ...of, mtimeNsec: 0 };
    if (index < 9) return { ...of, mtimeSec: 7, mtimeNsec: 0 };
    return { ...of, mtimeSec: 99 };
  });
  assert.deepEqual(found, [
    ['time without nanoseconds', 6],
    ['time -> 7.000000000', 3],
    ['time', 1],
  ]);
});

test('a directory stands for what is in it', async () => {
  const before = directory({
    old: directory({ a: leaf(inline('1')), b: directory({ c: leaf(inline('2')) }) }),
    same: leaf(inline('')),
  });
  const after = directory({ 'old-new': leaf(inline('3')), same: leaf(inline('')) });
  const trees = [before, after].map((root) => DirectoryTree.of(root, 'sha256')) as [DirectoryTree, DirectoryTree];
  assert.deepEqual(groupDifferences(await compareTrees(...trees)), [
    { what: 'removed /old', count: 4, examples: ['/old'] },
    { what: 'added /old-new', count: 1, examples: ['/old-new'] },
  ]);
});
