import assert from 'node:assert/strict';
import { closeSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLinked } from '../../../../src/composefs/repository/directory/follow-links.js';
import { RepositoryRoot } from '../../../../src/composefs/repository/directory/root.js';
import { tempDir } from '../temp-repository.js';

test('what an entry leads to is opened, over references, and never outside of the repository', (context) => {
  const path = tempDir(context);
  const outside = tempDir(context);
  writeFileSync(join(outside, 'secret'), 'secret');
  mkdirSync(join(path, 'objects', 'aa'), { recursive: true });
  mkdirSync(join(path, 'streams', 'refs'), { recursive: true });
  writeFileSync(join(path, 'objects', 'aa', 'bb'), 'object');
  const link = (name: string, text: string): void => symlinkSync(text, join(path, 'streams', name));
  link('entry', '../objects/aa/bb');
  link('refs/ref', '../entry');
  link('again', 'entry');
  link('dangling', '../objects/aa/cc');
  link('directory', '../objects/aa');
  link('out', `../../${outside.split('/').at(-1)}/secret`);
  link('absolute', join(outside, 'secret'));
  link('one', 'two');
  link('two', 'one');
  writeFileSync(join(path, 'streams', 'file'), 'file');
  const root = RepositoryRoot.open(path);
  context.after(() => root.close());
  const content = (name: string): string => {
    const fd = openLinked(root, `streams/${name}`);
    try {
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  };
  for (const name of ['entry', 'refs/ref', 'again']) assert.equal(content(name), 'object');
  assert.equal(content('file'), 'file');
  const codes = {
    missing: 'ENOENT',
    dangling: 'UNSAFE_PATH',
    directory: 'NOT_A_FILE',
    out: 'UNSAFE_PATH',
    absolute: 'UNSAFE_PATH',
    one: 'ELOOP',
  };
  for (const [name, code] of Object.entries(codes)) assert.throws(() => content(name), { code }, name);
});
