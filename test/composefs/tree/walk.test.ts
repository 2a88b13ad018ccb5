import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { Directory, Leaf, type LeafContent } from '../../../src/composefs/tree/inode.js';
import { type Stat, UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import {
  clearTree,
  cloneTree,
  countLinks,
  directories,
  filterXattrs,
  forEachStat,
  inodes,
  mapRegular,
} from '../../../src/composefs/tree/walk.js';
import { randomTree } from '../../support/random-tree.js';
import { assertSameTree, describeTree } from '../../support/same-tree.js';

const b = byteStringFromText;
const FIFO: LeafContent = { type: 'fifo' };
const stat = (fields: Partial<Stat>): Stat => ({ ...UNINITIALIZED_STAT, ...fields });

function linkedTree(): { root: Directory; shared: Leaf; single: Leaf } {
  const root = new Directory(stat({ mtimeSec: 1 }));
  const child = new Directory(stat({ mtimeSec: 2 }));
  const shared = new Leaf(stat({ mtimeSec: 3, mtimeNsec: 5 }), FIFO);
  const single = new Leaf(stat({ mtimeSec: 3, mtimeNsec: 4 }), FIFO);
  root.insert(b('a'), shared);
  root.insert(b('d'), child);
  child.insert(b('b'), shared);
  child.insert(b('c'), single);
  return { root, shared, single };
}

test('links are counted by identity, not by content', () => {
  const { root, shared, single } = linkedTree();
  assert.deepEqual(
    [...countLinks(root)],
    [
      [shared, 2],
      [single, 1],
    ],
  );
});

test('every inode is visited once', () => {
  const { root } = linkedTree();
  assert.equal([...inodes(root)].length, 4);
  let calls = 0;
  forEachStat(root, (old) => {
    calls += 1;
    return { ...old, uid: old.uid + 1 };
  });
  assert.equal(calls, 4);
  assert.deepEqual(
    [...inodes(root)].map((inode) => inode.stat.uid),
    [1, 1, 1, 1],
  );
});

test('xattrs are filtered on every inode, and stats without a change stay the same object', () => {
  const { root, shared, single } = linkedTree();
  const xattrs = new Map([
    [b('user.a'), b('1')],
    [b('user.b'), b('2')],
  ]);
  root.stat = stat({ xattrs });
  shared.stat = stat({ xattrs });
  const before = single.stat;
  filterXattrs(root, (name) => name === 'user.b');
  assert.deepEqual([...root.stat.xattrs], [['user.b', '2']]);
  assert.deepEqual([...shared.stat.xattrs], [['user.b', '2']]);
  assert.equal(single.stat, before);
  assert.equal(xattrs.size, 2);
});

test('a clone is equal and independent', () => {
  fc.assert(
    fc.property(randomTree(), (root) => {
      const before = describeTree(root);
      const clone = cloneTree(root);
      assertSameTree(clone, root);
      forEachStat(clone, (old) => ({ ...old, uid: 77 }));
      clone.insert(b('new'), new Directory(UNINITIALIZED_STAT));
      assert.deepEqual(describeTree(root), before);
    }),
    { numRuns: 100 },
  );
});

test('regular files are mapped once an inode', () => {
  const root = new Directory(UNINITIALIZED_STAT);
  const leaf = new Leaf(UNINITIALIZED_STAT, { type: 'regular', file: { storage: 'sparse', size: 1 } });
  root.insert(b('a'), leaf);
  root.insert(b('b'), leaf);
  let calls = 0;
  const mapped = mapRegular(root, () => {
    calls += 1;
    return { storage: 'sparse', size: 2 };
  });
  assert.equal(calls, 1);
  assert.equal(mapped.lookup(b('a')), mapped.lookup(b('b')));
  assert.deepEqual(leaf.content, { type: 'regular', file: { storage: 'sparse', size: 1 } });
});

test('a tree that is cleared gives the rows of its leaves to others', () => {
  const root = new Directory(UNINITIALIZED_STAT);
  for (let round = 0; round < 3; round++) {
    const top = new Directory(stat({ uid: round }));
    root.insert(b('top'), top);
    for (const name of ['a', 'b']) {
      const child = new Directory(stat({}));
      top.insert(b(name), child);
      for (let n = 0; n < 100; n++) child.insertLeaf(b(`${n}`), stat({ mtimeSec: n, uid: round }), FIFO);
    }
    const rows = [...directories(top)].flatMap((directory) => [...directory.children()].filter(Number.isInteger));
    assert.deepEqual([rows.length, Math.max(...(rows as number[]))], [200, 199]);
    const child = top.lookup(b('a'));
    root.remove(b('top'));
    clearTree(top);
    assert.deepEqual([top.size, child instanceof Directory && child.size], [0, 0]);
  }
});

test('10,000 levels are no problem', () => {
  const root = new Directory(UNINITIALIZED_STAT);
  let directory = root;
  for (let i = 0; i < 10_000; i++) {
    const child = new Directory(stat({ mtimeSec: i }));
    directory.insert(b('d'), child);
    directory.insert(b('f'), new Leaf(UNINITIALIZED_STAT, FIFO));
    directory = child;
  }
  assert.equal([...directories(root)].length, 10_001);
  assert.equal(countLinks(cloneTree(root)).size, 10_000);
  filterXattrs(root, () => true);
  let lines = 0;
  let last = '';
  for (const line of writeDumpfile(root)) {
    lines += 1;
    last = line;
  }
  assert.equal(lines, 20_001);
  assert(last.startsWith('/f '));
});
