import assert from 'node:assert/strict';
import { test } from 'node:test';
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
