import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { OpenDirectories } from '../../../../src/composefs/repository/directory/open-directories.js';
import { RepositoryRoot } from '../../../../src/composefs/repository/directory/root.js';
import { errorCode } from '../../../../src/errors.js';
import { tempDir } from '../temp-repository.js';

test('directories are reached once, and again after they were removed', (context) => {
  const path = tempDir(context);
  const root = RepositoryRoot.open(path);
  const directories = new OpenDirectories(root);
  const write = (text: string): void =>
    directories.within('objects/aa', (self) => writeFileSync(`${self}/file`, text, { flag: 'wx' }));
  const open = readdirSync('/proc/self/fd').length;
  assert.throws(() => write('1'), { code: 'ENOENT' });
  mkdirSync(join(path, 'objects', 'aa'), { recursive: true });
  write('1');
  assert.equal(readdirSync('/proc/self/fd').length, open + 1);
  // Errors name the file as it is known outside.
  assert.throws(() => write('2'), { code: 'EEXIST', path: join(path, 'objects', 'aa', 'file') });

  rmSync(join(path, 'objects', 'aa'), { recursive: true });
  assert.throws(() => write('3'), { code: 'ENOENT' });
  mkdirSync(join(path, 'objects', 'aa'));
  write('3');
  assert.deepEqual(readdirSync(join(path, 'objects', 'aa')), ['file']);
  directories.close();
  assert.equal(readdirSync('/proc/self/fd').length, open);
  root.close();
});

test('a directory that is a link is refused', (context) => {
  const path = tempDir(context);
  const root = RepositoryRoot.open(path);
  const directories = new OpenDirectories(root);
  mkdirSync(join(path, 'objects'));
  symlinkSync('/tmp', join(path, 'objects', 'aa'));
  const code = (): string => {
    try {
      directories.within('objects/aa', () => undefined);
      return 'none';
    } catch (error) {
      return errorCode(error);
    }
  };
  assert.equal(code(), 'UNSAFE_PATH');
  directories.close();
  root.close();
});

test('what is not there is not there, and what is found through a link is refused', (context) => {
  const path = tempDir(context);
  const root = RepositoryRoot.open(path);
  const directories = new OpenDirectories(root);
  assert.throws(() => directories.lstat('objects', 'aa', 'file'), { code: 'ENOENT' });
  mkdirSync(join(path, 'objects'));
  assert.equal(directories.lstat('objects', 'aa', 'file'), undefined);
  const elsewhere = tempDir(context);
  writeFileSync(join(elsewhere, 'file'), '12345');
  symlinkSync(elsewhere, join(path, 'objects', 'bb'));
  assert.throws(() => directories.lstat('objects', 'bb', 'other'), { code: 'UNSAFE_PATH' });
  assert.throws(() => directories.lstat('objects', 'bb', 'file'), { code: 'UNSAFE_PATH' });
  // A directory that was missing is not looked for again until it is reached.
  mkdirSync(join(path, 'objects', 'aa'));
  writeFileSync(join(path, 'objects', 'aa', 'file'), '1234567');
  assert.equal(directories.lstat('objects', 'aa', 'file'), undefined);
  directories.within('objects/aa', () => undefined);
  assert.equal(directories.lstat('objects', 'aa', 'file')?.size, 7);
  // One that could not be reached may have come into being meanwhile.
  assert.equal(directories.lstat('objects', 'cc', 'file'), undefined);
  assert.throws(() => directories.within('objects/cc', () => undefined), { code: 'ENOENT' });
  mkdirSync(join(path, 'objects', 'cc'));
  writeFileSync(join(path, 'objects', 'cc', 'file'), '1');
  assert.equal(directories.lstat('objects', 'cc', 'file')?.size, 1);
  assert.equal(directories.lstat('objects', 'aa', 'file')?.size, 7);
  assert.equal(directories.lstat('objects', 'aa', 'file')?.size, 7);
  assert.equal(directories.lstat('objects', 'aa', 'other'), undefined);
  directories.close();
  root.close();
});

test('a repository keeps directories open as long as anybody wants it', (context) => {
  const path = tempDir(context);
  const root = RepositoryRoot.open(path);
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  mkdirSync(join(path, 'streams', 'ö'), { recursive: true });
  mkdirSync(join(path, 'objects'));
  const read = (name: string | Buffer): string | undefined => root.readLink(name)?.toString();
  symlinkSync('a', join(path, 'streams', 'link'));
  symlinkSync('b', join(path, 'streams', 'ö', 'link'));

  const [first, second] = [root.keepDirectories(), root.keepDirectories()];
  assert.equal(read('streams/link'), 'a');
  assert.equal(read(Buffer.from('streams/link')), 'a');
  assert.equal(open(), before + 1);
  // Bytes that are no ASCII are reached anew: they need not be text.
  assert.equal(read(Buffer.from('streams/ö/link')), 'b');
  assert.equal(read('streams/ö/link'), 'b');
  assert.equal(open(), before + 2);
  assert.equal(read('objects/none'), undefined);
  assert.equal(read('objects/00/none'), undefined);
  first();
  assert.equal(open(), before + 3);
  second();
  assert.equal(open(), before);
  assert.equal(read('streams/link'), 'a');

  const third = root.keepDirectories();
  assert.equal(read('streams/link'), 'a');
  root.beginClose();
  root.close();
  assert.throws(() => read('streams/link'), { code: 'REPOSITORY_CLOSED' });
  third();
  assert.equal(open(), before - 1);
});

test('a thread that ends in the middle of its work leaves no directory of the repository open', async (context) => {
  const path = tempDir(context);
  const module = new URL('../../../../src/composefs/repository/directory/root.js', import.meta.url).href;
  mkdirSync(join(path, 'kept'));
  const code = (end: string): string => `import(${JSON.stringify(module)}).then(({ RepositoryRoot }) => {
    const root = RepositoryRoot.open(${JSON.stringify(path)});
    root.keepDirectories();
    root.within('kept', () => undefined);
    ${end}
  })`;
  const open = (): string[] =>
    readdirSync('/proc/self/fd')
      .map((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return '';
        }
      })
      .filter((target) => target.startsWith(path));
  await once(new Worker(code('process.exit()'), { eval: true }), 'exit');
  assert.deepEqual(open(), []);

  // One that does not return to its event loop.
  const busy = new Worker(code(`require('node:worker_threads').parentPort.postMessage(''); for (;;);`), { eval: true });
  await once(busy, 'message');
  assert.deepEqual(open().sort(), [path, join(path, 'kept')]);
  await busy.terminate();
  assert.deepEqual(open(), []);
});
