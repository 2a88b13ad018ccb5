import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, byteStringFromText } from '../../../src/bytes/byte-string.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import { type Stat, UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';

const b = byteStringFromText;
const stat = (mode: number): Stat => ({ ...UNINITIALIZED_STAT, mode });

test('names come in byte order, whatever the order of insertion', () => {
  const directory = new Directory(UNINITIALIZED_STAT);
  const names = ['b', 'a\xff', 'a', 'a.txt', 'aa', '\xf0\x9f\x98\x80', '\xef\xbf\xbf', 'A'] as ByteString[];
  for (const name of names) directory.insert(name, new Leaf(UNINITIALIZED_STAT, { type: 'fifo' }));
  const expected = ['A', 'a', 'a.txt', 'aa', 'a\xff', 'b', '\xef\xbf\xbf', '\xf0\x9f\x98\x80'];
  assert.deepEqual(directory.names(), expected);
  directory.remove(b('aa'));
  directory.remove(b('never there'));
  directory.insert(b('c'), new Directory(UNINITIALIZED_STAT));
  assert.deepEqual(
    [...directory.entries()].map(([name]) => name).join(' '),
    'A a a.txt a\xff b c \xef\xbf\xbf \xf0\x9f\x98\x80',
  );
  assert.equal(directory.size, 8);
});

test('insert replaces a whole subtree and says whether the name was new', () => {
  const directory = new Directory(UNINITIALIZED_STAT);
  const child = new Directory(stat(1));
  child.insert(b('x'), new Directory(stat(2)));
  assert.equal(directory.insert(b('d'), child), true);
  const other = new Directory(stat(3));
  assert.equal(directory.insert(b('d'), other), false);
  assert.equal(directory.lookup(b('d')), other);
});

test('merge of a directory onto a directory changes the stat only, anything else replaces', () => {
  const directory = new Directory(UNINITIALIZED_STAT);
  const child = new Directory(stat(1));
  child.insert(b('x'), new Directory(stat(2)));
  directory.merge(b('d'), child);
  directory.merge(b('d'), new Directory(stat(3)));
  assert.equal(directory.lookup(b('d')), child);
  assert.deepEqual([child.stat.mode, child.size], [3, 1]);
  const leaf = new Leaf(stat(4), { type: 'socket' });
  directory.merge(b('d'), leaf);
  assert.equal(directory.lookup(b('d')), leaf);
  directory.merge(b('d'), child);
  assert.equal(directory.lookup(b('d')), child);
});

test('clear drops the entries and keeps the stat', () => {
  const directory = new Directory(stat(0o755));
  directory.insert(b('x'), new Directory(stat(2)));
  directory.clear();
  assert.deepEqual([directory.size, directory.names(), directory.stat.mode], [0, [], 0o755]);
});

test('a leaf that nobody has asked for is made once, and then stays the same', () => {
  const directory = new Directory(UNINITIALIZED_STAT);
  assert.equal(directory.insertLeaf(b('x'), stat(1), { type: 'fifo' }), true);
  assert.deepEqual([...directory.children()], [0]);
  const leaf = directory.lookup(b('x'));
  assert(leaf instanceof Leaf);
  assert.deepEqual([leaf.stat, leaf.content], [stat(1), { type: 'fifo' }]);
  leaf.stat = stat(2);
  assert.equal(directory.lookup(b('x')), leaf);
  assert.deepEqual([...directory.entries()], [['x', leaf]]);
  assert.equal(directory.insertLeaf(b('x'), stat(3), { type: 'socket' }), false);
  assert.deepEqual(directory.lookup(b('x')), new Leaf(stat(3), { type: 'socket' }));
  assert.equal(leaf.stat.mode, 2);
});

test('directories share the table of the one that they are put into, and go elsewhere with their leaves', () => {
  const [one, other] = [new Directory(stat(1)), new Directory(stat(2))];
  const child = new Directory(stat(3));
  one.insert(b('child'), child);
  child.insertLeaf(b('x'), stat(4), { type: 'fifo' });
  assert.equal(child.list().leaves, one.list().leaves);
  other.insertLeaf(b('y'), stat(5), { type: 'socket' });
  other.insert(b('child'), child);
  one.remove(b('child'));
  assert.deepEqual(child.lookup(b('x')), new Leaf(stat(4), { type: 'fifo' }));
  assert.notEqual(child.list().leaves, other.list().leaves);
});

test('what no row can hold is a leaf all the same', () => {
  const directory = new Directory(UNINITIALIZED_STAT);
  const odd = { ...UNINITIALIZED_STAT, uid: -1 };
  directory.insertLeaf(b('x'), odd, { type: 'fifo' });
  directory.insertLeaf(b('y'), stat(1), { type: 'fifo' });
  assert.deepEqual(directory.lookup(b('x')), new Leaf(odd, { type: 'fifo' }));
  directory.mapRowStats((old) => ({ ...old, gid: 2 ** 32 }));
  assert.deepEqual(directory.lookup(b('y'))?.stat, { ...stat(1), gid: 2 ** 32 });
});

type Edit = readonly [kind: 'insert' | 'insertLeaf' | 'lookup' | 'remove' | 'names' | 'clear', name: number];

function arbitraryEdits(maxLength: number): fc.Arbitrary<Edit[]> {
  const name = fc.integer({ min: 0, max: 60 });
  const kind = fc.constantFrom<Edit[0][]>(
    'insert',
    'insertLeaf',
    'insertLeaf',
    'insertLeaf',
    'lookup',
    'remove',
    'names',
  );
  const edit = fc.tuple(fc.oneof({ weight: 200, arbitrary: kind }, fc.constant('clear' as const)), name);
  return fc.array(edit, { maxLength, size: 'max' });
}

test('any sequence of edits has the effect that it has on a map', () => {
  fc.assert(fc.property(arbitraryEdits(300), (steps) => assertLikeMap(steps, [])));
});

test('so has one on a directory with many entries, which came in no order', () => {
  // Around the number from which on a map holds them. 379 is prime, and divides none of the counts: each name comes once.
  const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${(index * 379) % count}`);
  const count = fc.integer({ min: 1000, max: 1030 });
  fc.assert(
    fc.property(arbitraryEdits(120), count, (steps, entries) => assertLikeMap(steps, many(entries))),
    { numRuns: 20 },
  );
});

/** @param present names of entries that are there before. */
function assertLikeMap(steps: readonly Edit[], present: readonly string[]): void {
  const directory = new Directory(UNINITIALIZED_STAT);
  const model = new Map<string, number>();
  for (const [index, name] of present.entries()) {
    assert.equal(directory.insertLeaf(b(name), stat(index), { type: 'fifo' }), true);
    model.set(name, index);
  }
  const givenOut: [readonly string[], string[]][] = [];
  for (const [index, [action, number]] of steps.entries()) {
    const key = b(`n${number}`);
    switch (action) {
      case 'insert':
        assert.equal(directory.insert(key, new Leaf(stat(index), { type: 'fifo' })), !model.has(key));
        model.set(key, index);
        break;
      case 'insertLeaf':
        assert.equal(directory.insertLeaf(key, stat(index), { type: 'fifo' }), !model.has(key));
        model.set(key, index);
        break;
      case 'lookup':
        assert.equal(directory.lookup(key)?.stat.mode, model.get(key));
        break;
      case 'remove':
        directory.remove(key);
        model.delete(key);
        break;
      case 'names':
        givenOut.push([directory.names(), [...model.keys()].sort()]);
        break;
      case 'clear':
        directory.clear();
        model.clear();
    }
    assert.equal(directory.size, model.size);
  }
  for (const [names, expected] of givenOut) assert.deepEqual(names, expected);
  const { names, children } = directory.list();
  assert.deepEqual(names, [...model.keys()].sort());
  assert.equal(children.length, model.size);
  for (const [each, inode] of directory.entries()) assert.equal(inode.stat.mode, model.get(each));
}
