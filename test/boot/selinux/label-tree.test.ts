import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selabel, XATTR_SECURITY_SELINUX } from '../../../src/boot/selinux/label-tree.js';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { getDirectory } from '../../../src/composefs/tree/lookup.js';
import { cpuTime } from '../../support/cpu-time.js';
import { linesOf } from '../../support/dumpfiles.js';
import { addPolicy, labelsOf, NO_OBJECTS, specs, treeOf, writeFile } from '../../support/selinux-trees.js';

const dir = (path: string) => `${path} 0 40755 2 0 0 0 0.0 - - -`;
const file = (path: string) => `${path} 1 100644 1 0 0 0 0.0 - x -`;

/** The labels after labelling, of the paths that are asked for. */
function label(root: Directory, ...paths: readonly string[]): (string | undefined)[] {
  assert.equal(selabel(root, NO_OBJECTS), true);
  const labels = labelsOf(root);
  return paths.map((path) => {
    assert.ok(path in labels, path);
    return labels[path];
  });
}

/** Spec 50 §27.6. */
test('each path gets the label of the last line that matches it', () => {
  const root = treeOf([
    dir('/boot'),
    dir('/etc'),
    file('/etc/hostname'),
    dir('/usr'),
    dir('/usr/bin'),
    file('/usr/bin/hello'),
  ]);
  addPolicy(root, { file_contexts: specs('/ root', '/usr usr', '/usr/bin(/.*)? bin', '/etc(/.*)? etc') });
  assert.deepEqual(label(root, '/', '/boot', '/etc', '/etc/hostname', '/usr', '/usr/bin', '/usr/bin/hello'), [
    'root',
    undefined,
    'etc',
    'etc',
    'usr',
    'bin',
    'bin',
  ]);
});

test('lines with a type are for that type only', () => {
  const root = treeOf([
    dir('/dev'),
    '/dev/block 0 60660 1 0 0 2048 0.0 - - -',
    '/dev/char 0 20620 1 0 0 1024 0.0 - - -',
    '/dev/fifo 0 10600 1 0 0 0 0.0 - - -',
    '/dev/sock 0 140600 1 0 0 0 0.0 - - -',
    dir('/var'),
    dir('/var/log'),
    file('/var/log/file'),
    '/var/log/link 1 120777 1 0 0 0 0.0 x - -',
  ]);
  addPolicy(root, {
    file_contexts: specs(
      '/dev(/.*)? device',
      '/dev(/.*)? -b fixed_disk_device',
      '/dev(/.*)? -c tty_device',
      '/dev(/.*)? -p fifo',
      '/dev(/.*)? -s sock',
      '/var(/.*)? var',
      '/var/log(/.*)? -d var_log_dir',
      '/var/log(/.*)? -- var_log',
      '/var/log(/.*)? -l var_log_link',
    ),
  });
  const paths = ['/dev', '/dev/block', '/dev/char', '/dev/fifo', '/dev/sock', '/var', '/var/log', '/var/log/file'];
  assert.deepEqual(label(root, ...paths, '/var/log/link'), [
    'device',
    'fixed_disk_device',
    'tty_device',
    'fifo',
    'sock',
    'var',
    'var_log_dir',
    'var_log',
    'var_log_link',
  ]);
});

test('an alias stands for the whole of a path, and for what is below it', () => {
  const root = treeOf([
    dir('/a'),
    dir('/a/b'),
    file('/a/b/c'),
    file('/link'),
    dir('/srv'),
    dir('/srv/home'),
    file('/srv/home/data.txt'),
    file('/srv/homely'),
    dir('/x'),
    dir('/x/y'),
    file('/x/y/z'),
  ]);
  addPolicy(root, {
    file_contexts: specs('/home(/.*)? home', '/link own', '/data data', '/b one', '/b/c two', '/d/z three', '/ root'),
    'file_contexts.subs':
      '# aliases\n\n/srv/home /home\n/link /missing\n/a /\n/a/b /never\n/b/c /data\n/x /x2\n/x2/y /d',
    'file_contexts.subs_dist': '/link /data\n',
  });
  // What an alias stands for is looked up no more for the same file; below it, the path is the new one.
  assert.deepEqual(
    label(root, '/srv/home', '/srv/home/data.txt', '/srv/homely', '/link', '/a', '/a/b', '/a/b/c', '/x/y', '/x/y/z'),
    ['home', 'home', undefined, 'data', 'root', 'one', 'data', undefined, 'three'],
  );
});

test('slashes and dots at the end of what an alias stands for count for the first name below it only', () => {
  const root = treeOf([dir('/a'), file('/a/1'), file('/a/2'), dir('/b'), file('/b/1'), file('/b/2')]);
  addPolicy(root, {
    file_contexts: specs('/x//1 slashes', '/x/2 plain', '/y/./1 dots', '/y/2 plain', '/x// directory'),
    'file_contexts.subs': '/a /x//\n/b /y/.\n',
  });
  assert.deepEqual(label(root, '/a', '/a/1', '/a/2', '/b/1', '/b/2'), [
    'directory',
    'slashes',
    'plain',
    'dots',
    'plain',
  ]);
});

test('<<none>> takes the label away, and .local, .homedirs come after file_contexts', () => {
  const root = treeOf([
    dir('/opt'),
    `${file('/opt/custom')} security.selinux=old user.x=1`,
    `${dir('/tmp')} security.selinux=old`,
    dir('/tmp/private'),
    `${file('/tmp/private/x')} security.selinux=old user.x=1`,
  ]);
  addPolicy(root, {
    'file_contexts.homedirs': specs('/opt/.* homedirs'),
    'file_contexts.local': specs('/opt(/.*)? local'),
    file_contexts: specs('/opt(/.*)? opt', '/tmp(/.*)? tmp', '/tmp/private(/.*)? <<none>>'),
  });
  assert.deepEqual(label(root, '/opt', '/opt/custom', '/tmp', '/tmp/private', '/tmp/private/x'), [
    'local',
    'homedirs',
    'tmp',
    undefined,
    undefined,
  ]);
  const lines = linesOf(root).filter((line) => line.includes('user.x'));
  assert.deepEqual(lines, [
    '/opt/custom 1 100644 1 0 0 0 0.0 - x - security.selinux=system_u:object_r:homedirs_t:s0 user.x=1',
    '/tmp/private/x 1 100644 1 0 0 0 0.0 - x - user.x=1',
  ]);
});

test('each later link with another label than the first becomes an inode of its own', () => {
  const root = treeOf([
    dir('/a'),
    `/a/first 1 100644 4 0 0 0 0.0 - x - user.x=1`,
    '/a/same 0 @120000 - - - - 0.0 /a/first - -',
    dir('/b'),
    '/b/other 0 @120000 - - - - 0.0 /a/first - -',
    '/b/other2 0 @120000 - - - - 0.0 /a/first - -',
    '/none 0 @120000 - - - - 0.0 /a/first - -',
    '/z 0 @120000 - - - - 0.0 /a/first - -',
  ]);
  addPolicy(root, { file_contexts: specs('/a/.* a', '/b/.* b', '/z a') });
  assert.equal(selabel(root, NO_OBJECTS), true);
  const lines = linesOf(root).filter((line) => !line.startsWith('/etc'));
  const label = (name: string) => `security.selinux=system_u:object_r:${name}_t:s0`;
  assert.deepEqual(lines, [
    '/ 0 40755 5 0 0 0 0.0 - - -',
    '/a 0 40755 2 0 0 0 0.0 - - -',
    `/a/first 1 100644 3 0 0 0 0.0 - x - ${label('a')} user.x=1`,
    '/a/same 0 @120000 - - - - 0.0 /a/first - -',
    '/b 0 40755 2 0 0 0 0.0 - - -',
    `/b/other 1 100644 1 0 0 0 0.0 - x - ${label('b')} user.x=1`,
    `/b/other2 1 100644 1 0 0 0 0.0 - x - ${label('b')} user.x=1`,
    '/none 1 100644 1 0 0 0 0.0 - x - user.x=1',
    '/z 0 @120000 - - - - 0.0 /a/first - -',
  ]);
});

test('trees that are deeper than any path are labelled in time', () => {
  const root = treeOf([]);
  addPolicy(root, {
    file_contexts: specs('/d(/d)*/x deep', '/d/d two', '/(?=d/d/d$)d/d/d three', '/.*/e e'),
    'file_contexts.subs': '/d/d/d/d /e/d/d/d\n',
  });
  const depth = 50_000;
  const levels: Directory[] = [root];
  for (let level = 0; level < depth; level++) {
    const directory = new Directory(root.stat);
    levels.at(-1)?.insert(byteStringFromText('d'), directory);
    levels.push(directory);
  }
  writeFile(levels[3] ?? root, 'x', '');
  writeFile(levels.at(-1) ?? root, 'e', '');
  const start = cpuTime();
  assert.equal(selabel(root, NO_OBJECTS), true);
  assert.ok(cpuTime() - start < 5000, `${cpuTime() - start} ms`);
  const labelOf = (level: number, name: string) =>
    levels[level]?.lookup(byteStringFromText(name))?.stat.xattrs.get(XATTR_SECURITY_SELINUX);
  assert.equal(labelOf(1, 'd'), 'system_u:object_r:two_t:s0');
  assert.equal(labelOf(3, 'x'), 'system_u:object_r:deep_t:s0');
  assert.equal(labelOf(depth, 'e'), 'system_u:object_r:e_t:s0');
});

test('without a policy all labels go', () => {
  const lines = [`${dir('/etc')} security.selinux=x`, `${file('/etc/f')} security.selinux=x user.x=1`];
  const expected = ['/ 0 40755 3 0 0 0 0.0 - - -', dir('/etc'), `${file('/etc/f')} user.x=1`];
  const without = treeOf(lines);
  assert.equal(selabel(without, NO_OBJECTS), false);
  assert.deepEqual(linesOf(without), expected);
  for (const config of ['', 'SELINUX=enforcing\n', '#SELINUXTYPE=targeted\n']) {
    const unnamed = treeOf(lines);
    writeFile(unnamed, 'etc/selinux/config', config);
    assert.equal(selabel(unnamed, NO_OBJECTS), false);
    assert.deepEqual(
      linesOf(unnamed).filter((line) => line.includes('security.selinux')),
      [],
    );
  }
  const sparse = treeOf([...lines, dir('/etc/selinux')]);
  const selinux = getDirectory(sparse, byteStringFromText('etc/selinux'));
  writeFile(sparse, 'etc/selinux/config', 'SELINUXTYPE=x');
  const config = selinux.lookup(byteStringFromText('config'));
  assert.ok(config !== undefined && 'content' in config);
  config.content = { type: 'regular', file: { storage: 'sparse', size: 13 } };
  assert.equal(selabel(sparse, NO_OBJECTS), false);
});
