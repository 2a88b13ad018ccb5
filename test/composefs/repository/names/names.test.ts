import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  validateContentIdentifier,
  validateImageName,
  validateRefName,
  validateRefPrefix,
  validateStreamName,
} from '../../../../src/composefs/repository/names/names.js';
import { createSymlink } from '../../../../src/composefs/repository/names/symlink.js';
import { tempRoot } from '../temp-repository.js';

describe('names', () => {
  const components = ['a', 'oci-layer-sha256:ab', 'x@y%2F', '...', 'ü', 'é'.repeat(127), '\x01', ' ', 'refsx'];
  const notComponents = ['', '.', '..', '/', '//', 'a\0', '\0', 'é'.repeat(128), '\ud800', '\udc00x'];

  it('a content identifier is one component other than refs', () => {
    for (const name of components) assert.equal(validateContentIdentifier(name), name);
    for (const name of [...notComponents, 'refs', 'a/b', '/a', 'a/']) {
      assert.throws(() => validateContentIdentifier(name), { code: 'INVALID_NAME' }, JSON.stringify(name));
    }
  });

  it('a reference name is components separated by single slashes', () => {
    for (const name of [...components, 'a/b', 'oci/img:tag', 'refs', 'refs/refs/a']) {
      assert.equal(validateRefName(name), name);
    }
    for (const name of [...notComponents, '/a', 'a/', 'a//b', 'a/../b', './a', 'a/.']) {
      assert.throws(() => validateRefName(name), { code: 'INVALID_NAME' }, JSON.stringify(name));
    }
  });

  it('a stream is named by identifier or reference', () => {
    for (const name of [...components, 'refs/a', 'refs/a/b']) assert.equal(validateStreamName(name), name);
    for (const name of [...notComponents, 'refs', 'a/b', 'refs/../a', 'refs/']) {
      assert.throws(() => validateStreamName(name), { code: 'INVALID_NAME' }, JSON.stringify(name));
    }
  });

  it('an image is named by digest or reference', () => {
    for (const name of [...components, 'refs/a', 'a/b']) assert.equal(validateImageName(name), name);
    for (const name of [...notComponents, 'refs', '../meta.json', 'refs/../a']) {
      assert.throws(() => validateImageName(name), { code: 'INVALID_NAME' }, JSON.stringify(name));
    }
  });

  it('a prefix may be empty and may end with a slash', () => {
    assert.equal(validateRefPrefix(''), '');
    assert.equal(validateRefPrefix('/'), '');
    assert.equal(validateRefPrefix('a/b/'), 'a/b');
    for (const name of ['..', '../', 'a//', '/a'])
      assert.throws(() => validateRefPrefix(name), { code: 'INVALID_NAME' });
  });
});

describe('createSymlink', () => {
  // Spec 10 §11.1.
  const cases: [name: string, target: string, text: string][] = [
    ['streams/foo', 'objects/ab/cd', '../objects/ab/cd'],
    ['images/0123', 'objects/ab/cd', '../objects/ab/cd'],
    ['streams/refs/r', 'streams/foo', '../foo'],
    ['streams/refs/a/b', 'streams/foo', '../../foo'],
    ['images/refs/r', 'images/0123', '../0123'],
    ['streams/refs/oci/img:tag', 'streams/oci-manifest-sha256:ab', '../../oci-manifest-sha256:ab'],
    ['streams//./refs//r', './streams//foo', '../foo'],
  ];
  for (const [name, target, text] of cases) {
    it(`links ${name} to ${target} as ${text}`, (t) => {
      const root = tempRoot(t);
      // What both have in common is not made.
      if (!target.startsWith('objects'))
        mkdirSync(join(root.path, target.split('/').find((part) => part.length > 1) ?? ''));
      createSymlink(root, name, target);
      assert.equal(readlinkSync(join(root.path, name)), text);
    });
  }

  it('makes the missing directories, but not those that name and target share', (t) => {
    const root = tempRoot(t);
    assert.throws(() => createSymlink(root, 'streams/refs/r', 'streams/foo'), { code: 'ENOENT' });
    createSymlink(root, 'streams/x/y/z', 'objects/o');
    assert.deepEqual(readdirSync(join(root.path, 'streams/x/y')), ['z']);
  });

  it('replaces another symlink and leaves no temporary one', (t) => {
    const root = tempRoot(t);
    for (const target of ['objects/1', 'objects/1', 'objects/2']) {
      createSymlink(root, 'streams/a', target);
      assert.equal(readlinkSync(join(root.path, 'streams/a')), `../${target}`);
    }
    assert.deepEqual(readdirSync(root.path), ['streams']);
  });

  it('does not replace a file or directory', (t) => {
    const root = tempRoot(t);
    mkdirSync(join(root.path, 'streams/refs'), { recursive: true });
    writeFileSync(join(root.path, 'streams/file'), 'x');
    for (const [name, code] of [
      ['streams/file', 'EINVAL'],
      ['streams/refs', 'EISDIR'],
    ] as const) {
      assert.throws(() => createSymlink(root, name, 'objects/1'), { code });
    }
    assert.deepEqual(readdirSync(root.path), ['streams']);
  });

  it('refuses a directory as target that would hold the link', (t) => {
    const root = tempRoot(t);
    for (const target of ['streams', 'streams/refs', '']) {
      assert.throws(() => createSymlink(root, 'streams/refs/a', target), { code: 'EINVAL' });
    }
  });
});
