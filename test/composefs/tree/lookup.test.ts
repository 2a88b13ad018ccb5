import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { ImageError } from '../../../src/composefs/tree/image-error.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import {
  getDirectory,
  getDirectoryMut,
  getDirectoryOpt,
  getFile,
  getFileOpt,
  getLeaf,
  splitPath,
  splitPathMut,
} from '../../../src/composefs/tree/lookup.js';
import { fileName, parentPath, pathComponents } from '../../../src/composefs/tree/path.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';

const b = byteStringFromText;

function sampleTree(): { root: Directory; a: Directory; inner: Directory } {
  const root = new Directory(UNINITIALIZED_STAT);
  const a = new Directory(UNINITIALIZED_STAT);
  const inner = new Directory(UNINITIALIZED_STAT);
  root.insert(b('a'), a);
  a.insert(b('b'), inner);
  root.insert(b('link'), new Leaf(UNINITIALIZED_STAT, { type: 'symlink', target: b('a') }));
  const file = { storage: 'inline', data: Buffer.from('hi') } as const;
  a.insert(b('file'), new Leaf(UNINITIALIZED_STAT, { type: 'regular', file }));
  return { root, a, inner };
}

function throwsImageError(action: () => unknown, kind: string, message: string): void {
  assert.throws(action, (error) => {
    assert(error instanceof ImageError);
    assert.deepEqual([error.kind, error.message], [kind, message]);
    return true;
  });
}

test('components drop what is empty and dots, except a leading one', () => {
  const table: [string, string[]][] = [
    ['', []],
    ['/', []],
    ['/.', []],
    ['a', ['a']],
    ['/a//b/', ['a', 'b']],
    ['a/./b/.', ['a', 'b']],
    ['./a', ['.', 'a']],
    ['/./a', ['a']],
    ['a/../b', ['a', '..', 'b']],
  ];
  for (const [path, components] of table) assert.deepEqual(pathComponents(b(path)), components, path);
});

test('file name and parent of a path', () => {
  const table: [path: string, name: string | undefined, parent: string[]][] = [
    ['', undefined, []],
    ['/', undefined, []],
    ['/.', undefined, []],
    ['..', undefined, []],
    ['a/..', undefined, ['a']],
    ['a', 'a', []],
    ['/a/', 'a', []],
    ['a/b', 'b', ['a']],
    ['a/b/', 'b', ['a']],
    ['a//b', 'b', ['a']],
    ['a/b/.', 'b', ['a']],
    ['a/b/././/', 'b', ['a']],
    ['/a/b/c', 'c', ['a', 'b']],
    ['./x', 'x', ['.']],
  ];
  for (const [path, name, parent] of table) {
    assert.equal(fileName(b(path)), name, path);
    if (name !== undefined) assert.deepEqual(pathComponents(parentPath(b(path))), parent, path);
  }
});

test('directories are found by path', () => {
  const { root, a, inner } = sampleTree();
  for (const path of ['', '/', '/.', '//']) assert.equal(getDirectory(root, b(path)), root);
  for (const path of ['a', '/a', 'a/', '/a/.']) assert.equal(getDirectory(root, b(path)), a);
  assert.equal(getDirectory(root, b('/a//b')), inner);
  assert.equal(getDirectoryOpt(root, b('a/b')), inner);
});

test('a missing directory is named by the whole path, or by the component where the tree is to be changed', () => {
  const { root } = sampleTree();
  throwsImageError(() => getDirectory(root, b('a/x/y')), 'not-found', 'Directory entry "a/x/y" does not exist');
  throwsImageError(() => getDirectoryMut(root, b('a/x/y')), 'not-found', 'Directory entry "x" does not exist');
  assert.equal(getDirectoryOpt(root, b('a/x/y')), undefined);
});

test('symlinks and files are no directories', () => {
  const { root } = sampleTree();
  const message = 'Directory entry "link" is not a subdirectory';
  for (const get of [getDirectory, getDirectoryMut, getDirectoryOpt]) {
    throwsImageError(() => get(root, b('link/b')), 'not-a-directory', message);
  }
});

test('.. and a leading . are refused, before or after something missing', () => {
  const { root } = sampleTree();
  for (const path of ['..', 'a/..', './a', '.', 'a/../a']) {
    const message = `Invalid filename ${JSON.stringify(path)}`;
    throwsImageError(() => getDirectory(root, b(path)), 'invalid-filename', message);
    throwsImageError(() => getDirectoryOpt(root, b(path)), 'invalid-filename', message);
  }
});

test('a path splits into the parent, which must exist, and the name, which need not', () => {
  const { root, a } = sampleTree();
  assert.deepEqual(splitPath(root, b('/a/new/')), { directory: a, name: 'new' });
  assert.deepEqual(splitPath(root, b('new')), { directory: root, name: 'new' });
  throwsImageError(() => splitPath(root, b('/')), 'invalid-filename', 'Invalid filename "/"');
  throwsImageError(() => splitPath(root, b('a/..')), 'invalid-filename', 'Invalid filename "a/.."');
  throwsImageError(() => splitPath(root, b('a/x/y')), 'not-found', 'Directory entry "a/x" does not exist');
  throwsImageError(() => splitPathMut(root, b('a/x/y')), 'not-found', 'Directory entry "x" does not exist');
});

test('leaves and files are found by name', () => {
  const { root, a } = sampleTree();
  assert.deepEqual(getFile(a, b('file')), { storage: 'inline', data: Buffer.from('hi') });
  assert.equal(getFileOpt(a, b('nothing')), undefined);
  assert.equal(getLeaf(root, b('link')), root.lookup(b('link')));
  throwsImageError(() => getFile(a, b('nothing')), 'not-found', 'Directory entry "nothing" does not exist');
  throwsImageError(() => getFile(root, b('a')), 'is-a-directory', 'Directory entry "a" is a directory');
  throwsImageError(() => getFileOpt(root, b('a')), 'is-a-directory', 'Directory entry "a" is a directory');
  throwsImageError(() => getLeaf(root, b('a')), 'is-a-directory', 'Directory entry "a" is a directory');
  throwsImageError(() => getFile(root, b('link')), 'is-not-regular', 'Directory entry "link" is not a regular file');
});
