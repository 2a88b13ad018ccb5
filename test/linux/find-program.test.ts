import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { absolutePath, findProgram } from '../../src/linux/find-program.js';
import { withTempDir } from '../support/paths.js';

test('programs are found in absolute entries of PATH only', async () => {
  await withTempDir(async (root) => {
    const program = (path: string, mode = 0o755): void => {
      writeFileSync(join(root, path), '#!/bin/sh\n');
      chmodSync(join(root, path), mode);
    };
    for (const name of ['a', 'b', 'a/folder', 'c']) mkdirSync(join(root, name));
    program('a/plain', 0o644);
    program('b/plain');
    program('b/folder');
    program('c/plain');
    program('b/both');
    program('a/both');
    symlinkSync('both', join(root, 'a/link'));
    symlinkSync('nothing', join(root, 'a/dangling'));
    program('b/dangling');
    const PATH = `${root}/a:${root}/b`;
    const find = (name: string, path = PATH): string | undefined => findProgram(name, { PATH: path });
    assert.equal(find('both'), `${root}/a/both`);
    assert.equal(find('link'), `${root}/a/link`);
    assert.equal(find('plain'), `${root}/b/plain`);
    assert.equal(find('folder'), `${root}/b/folder`);
    assert.equal(find('dangling'), `${root}/b/dangling`);
    assert.equal(find('none'), undefined);

    const before = process.cwd();
    process.chdir(join(root, 'c'));
    try {
      for (const path of ['', '.', ':', '.:', './', '../c', 'c', `:${root}/a`, `.:${root}/a:`]) {
        assert.equal(find('plain', path), undefined, path);
      }
      assert.equal(find('plain', `.::../c:${root}/b`), `${root}/b/plain`);
      assert.equal(absolutePath({ PATH: `.::../c:${root}/b:/x` }), `${root}/b:/x`);
      for (const name of ['', './plain', 'c/plain', '../c/plain']) assert.equal(find(name), undefined);
    } finally {
      process.chdir(before);
    }
    assert.equal(find(`${root}/c/plain`), `${root}/c/plain`);
    assert.equal(find(`${root}/a/plain`), undefined);
    assert.equal(findProgram('sh', {})?.endsWith('/bin/sh'), true);
  });
});
