import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ByteString, byteStringFrom, byteStringFromText } from '../../../src/bytes/byte-string.js';

import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { FileStore } from '../../../src/composefs/scan/file-digests.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { getFile, getLeaf } from '../../../src/composefs/tree/lookup.js';
import { type ObjectSource, readFile } from '../../../src/composefs/tree/read-file.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { errorChain, errorCode, fullMessage } from '../../../src/errors.js';
import { listDirectory } from '../../../src/fs/directory-entries.js';
import { makeNode } from '../../../src/linux/link.js';
import { setXattr } from '../../../src/linux/xattr.js';
import { transformForOci } from '../../../src/oci/tree/transform.js';
import { scanDirectory } from '../../support/at-once.js';
import { availableFileSystems, cannotMount, makeDisk, mountDisk, unmount } from '../../support/file-systems.js';
import { withTempDir } from '../../support/paths.js';
import { writeTree } from '../../support/write-tree.js';

const b = byteStringFromText;
const isRoot = process.getuid?.() === 0;

/** Keeps objects in memory. */
class MemoryObjects implements FileStore, ObjectSource {
  readonly algorithm = 'sha256';
  readonly objects = new Map<ObjectId, Buffer>();

  ensureObjectFromFd(fd: number, size: number): ObjectId {
    const data = Buffer.alloc(size);
    assert.equal(fs.readSync(fd, data, 0, size, null), size);
    const id = computeVerity('sha256', data);
    this.objects.set(id, data);
    return id;
  }

  *readObjectChunks(id: ObjectId): Generator<Buffer> {
    const data = this.objects.get(id) ?? Buffer.alloc(0);
    for (let i = 0; i < data.length; i += 1000) yield data.subarray(i, i + 1000);
  }
}

test('files of up to 64 bytes are inline, larger ones have a digest', () => {
  withTempDir((path) => {
    for (const size of [0, 1, 64, 65, 4096, 3_000_000]) fs.writeFileSync(join(path, `f${size}`), Buffer.alloc(size, 7));
    const root = scanDirectory(path, { algorithm: 'sha256' });
    assert.deepEqual(getFile(root, b('f0')), { storage: 'inline', data: Buffer.alloc(0) });
    assert.deepEqual(getFile(root, b('f64')), { storage: 'inline', data: Buffer.alloc(64, 7) });
    for (const size of [65, 4096, 3_000_000]) {
      const id = computeVerity('sha256', Buffer.alloc(size, 7));
      assert.deepEqual(getFile(root, b(`f${size}`)), { storage: 'external', id, size });
    }
    const other = scanDirectory(path, { algorithm: 'sha512' });
    const id = computeVerity('sha512', Buffer.alloc(65, 7));
    assert.deepEqual(getFile(other, b('f65')), { storage: 'external', id, size: 65 });
  });
});

test('names that are not UTF-8 are kept byte for byte', () => {
  withTempDir((path) => {
    const name = Buffer.from([0x61, 0xff, 0x0a, 0xc3, 0xa9, 0x20]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${path}/`), name]), 'x');
    fs.symlinkSync(Buffer.from([0xfe, 0xff]), join(path, 'link'));
    const root = scanDirectory(Buffer.from(path), { algorithm: 'sha256' });
    assert.deepEqual(root.names(), [byteStringFrom(name), 'link']);
    assert.deepEqual(getLeaf(root, b('link')).content, { type: 'symlink', target: '\xfe\xff' });
  });
});

test('modes, owners and mtimes to the nanosecond are kept, also before the epoch', () => {
  withTempDir((path) => {
    fs.mkdirSync(join(path, 'd'));
    fs.chmodSync(join(path, 'd'), 0o1753);
    fs.writeFileSync(join(path, 'f'), '');
    fs.chmodSync(join(path, 'f'), 0o4640);
    if (isRoot) fs.chownSync(join(path, 'd'), 4_000_000_000, 123);
    execFileSync('touch', ['-d', '1969-12-31T23:59:58.25Z', join(path, 'd')]);
    execFileSync('touch', ['-d', '2023-01-02T03:04:05.000000007Z', join(path, 'f')]);
    const root = scanDirectory(path, { algorithm: 'sha256' });
    const directory = root.lookup(b('d'));
    assert(directory instanceof Directory);
    const { mode, uid, gid, mtimeSec, mtimeNsec } = directory.stat;
    assert.deepEqual([mode, mtimeSec, mtimeNsec], [0o1753, -2, 250_000_000]);
    if (isRoot) assert.deepEqual([uid, gid], [4_000_000_000, 123]);
    const file = getLeaf(root, b('f'));
    assert.deepEqual([file.stat.mode, file.stat.mtimeSec, file.stat.mtimeNsec], [0o4640, 1_672_628_645, 7]);
  });
});

test('names of one inode are hard links, unless these are to be broken', () => {
  withTempDir((path) => {
    fs.writeFileSync(join(path, 'a'), 'x');
    fs.mkdirSync(join(path, 'd'));
    fs.linkSync(join(path, 'a'), join(path, 'd', 'b'));
    fs.writeFileSync(join(path, 'c'), 'x');
    fs.symlinkSync('t', join(path, 's'));
    fs.linkSync(join(path, 's'), join(path, 's2'));
    const root = scanDirectory(path, { algorithm: 'sha256' });
    const directory = root.lookup(b('d'));
    assert(directory instanceof Directory);
    assert.equal(getLeaf(root, b('a')), getLeaf(directory, b('b')));
    assert.equal(getLeaf(root, b('s')), getLeaf(root, b('s2')));
    assert.notEqual(getLeaf(root, b('a')), getLeaf(root, b('c')));
    const broken = scanDirectory(path, { algorithm: 'sha256', hardlinks: 'break' });
    assert.notEqual(getLeaf(broken, b('s')), getLeaf(broken, b('s2')));
    assert.deepEqual(getLeaf(broken, b('s')), getLeaf(broken, b('s2')));
  });
});

test('special files are kept, whiteouts too', { skip: isRoot ? false : 'needs root to make devices' }, () => {
  withTempDir((path) => {
    makeNode(join(path, 'fifo'), 0o010600, 0);
    makeNode(join(path, 'socket'), 0o140600, 0);
    makeNode(join(path, 'chr'), 0o020600, 0x12345);
    makeNode(join(path, 'blk'), 0o060600, 0x801);
    makeNode(join(path, 'whiteout'), 0o020600, 0);
    const root = scanDirectory(path, { algorithm: 'sha256' });
    assert.deepEqual(describeContents(root), [
      ['blk', { type: 'block-device', rdev: 0x801 }],
      ['chr', { type: 'character-device', rdev: 0x12345 }],
      ['fifo', { type: 'fifo' }],
      ['socket', { type: 'socket' }],
      ['whiteout', { type: 'character-device', rdev: 0 }],
    ]);
    withTempDir((copy) => {
      writeTree(root, copy, new MemoryObjects());
      const again = scanDirectory(copy, { algorithm: 'sha256' });
      assert.deepEqual(describeContents(again), describeContents(root));
    });
  });
});

test('xattrs of all inodes are kept, of symlinks those of their own', { skip: isRoot ? false : 'needs root' }, () => {
  withTempDir((path) => {
    fs.writeFileSync(join(path, 'f'), '');
    fs.symlinkSync('f', join(path, 'l'));
    setXattr(join(path, 'f'), b('user.odd'), '\0\xff' as ByteString);
    setXattr(join(path, 'f'), b('user.empty'), b(''));
    setXattr(join(path, 'l'), b('trusted.link'), b('1'));
    setXattr(path, b('trusted.root'), b('2'));
    const root = scanDirectory(path, { algorithm: 'sha256' });
    assert.deepEqual([...getLeaf(root, b('f')).stat.xattrs].sort(), [
      ['user.empty', ''],
      ['user.odd', '\0\xff'],
    ]);
    assert.deepEqual([...getLeaf(root, b('l')).stat.xattrs], [['trusted.link', '1']]);
    assert.deepEqual([...root.stat.xattrs], [['trusted.root', '2']]);
  });
});

test('a symlink is not taken for the root directory', () => {
  withTempDir((path) => {
    fs.mkdirSync(join(path, 'd'));
    fs.symlinkSync('d', join(path, 'l'));
    assert.throws(
      () => scanDirectory(join(path, 'l'), { algorithm: 'sha256' }),
      (error) => {
        assert.equal(errorCode(error), 'ENOTDIR');
        assert.match(fullMessage(error), /^Scanning directory ".*\/l": /);
        return true;
      },
    );
  });
});

test('errors name the way to what failed', () => {
  withTempDir((path) => {
    fs.mkdirSync(join(path, 'a', 'b'), { recursive: true });
    fs.writeFileSync(join(path, 'a', 'b', 'big'), Buffer.alloc(100));
    const store: FileStore = {
      ensureObjectFromFd: () => {
        throw new Error('disk on fire');
      },
    };
    assert.throws(
      () => scanDirectory(path, { algorithm: 'sha256', store }),
      (error) => {
        assert.deepEqual(errorChain(error).slice(1), [
          'Scanning inode "a"',
          'Scanning directory "a"',
          'Scanning inode "b"',
          'Scanning directory "b"',
          'Scanning inode "big"',
          'Scanning leaf "big"',
          'Reading leaf content',
          'disk on fire',
        ]);
        return true;
      },
    );
  });
});

test('a scan leaves no file descriptor open, whether it succeeds or fails', () => {
  withTempDir((path) => {
    fs.mkdirSync(join(path, 'a', 'b'), { recursive: true });
    fs.writeFileSync(join(path, 'a', 'b', 'big'), Buffer.alloc(100));
    const count = (): number => fs.readdirSync('/proc/self/fd').length;
    const before = count();
    scanDirectory(path, { algorithm: 'sha256' });
    const store: FileStore = {
      ensureObjectFromFd: () => {
        throw new Error('no');
      },
    };
    assert.throws(() => scanDirectory(path, { algorithm: 'sha256', store }));
    assert.equal(count(), before);
  });
});

test('a container root is scanned and transformed', () => {
  withTempDir((path) => {
    fs.mkdirSync(join(path, 'usr'));
    fs.chmodSync(join(path, 'usr'), 0o750);
    fs.mkdirSync(join(path, 'run', 'x'), { recursive: true });
    const root = scanDirectory(path, { algorithm: 'sha256' });
    transformForOci(root, { xattrs: 'keep-user-xattrs' });
    assert.equal(root.stat.mode, 0o750);
    const run = root.lookup(b('run'));
    assert(run instanceof Directory && run.size === 0);
  });
});

test('files are stored, read back and written again', () => {
  withTempDir((path) => {
    const from = join(path, 'from');
    const to = join(path, 'to');
    fs.mkdirSync(join(from, 'd', 'e'), { recursive: true });
    fs.writeFileSync(join(from, 'd', 'big'), Buffer.alloc(5000, 1), { mode: 0o600 });
    fs.writeFileSync(join(from, 'd', 'small'), 'hello');
    fs.symlinkSync('d/small', join(from, 'link'));
    const objects = new MemoryObjects();
    const root = scanDirectory(from, { algorithm: 'sha256', store: objects });
    fs.mkdirSync(to);
    writeTree(root, to, objects);
    assert.deepEqual(fs.readFileSync(join(to, 'd', 'big')), Buffer.alloc(5000, 1));
    assert.equal(fs.statSync(join(to, 'd', 'big')).mode, 0o100600);
    assert.equal(fs.readFileSync(join(to, 'link'), 'utf8'), 'hello');
    const directory = root.lookup(b('d'));
    assert(directory instanceof Directory);
    assert.deepEqual(readFile(getFile(directory, b('big')), objects), Buffer.alloc(5000, 1));
  });
});

test('trees with paths far beyond PATH_MAX are written and scanned', () => {
  withTempDir((path) => {
    const root = new Directory({ ...UNINITIALIZED_STAT, mode: 0o755 });
    let directory = root;
    for (let i = 0; i < 60; i++) {
      const child = new Directory({ ...UNINITIALIZED_STAT, mode: 0o755 });
      directory.insert(b('x'.repeat(200)), child);
      directory = child;
    }
    writeTree(root, path, new MemoryObjects());
    const scanned = scanDirectory(path, { algorithm: 'sha256' });
    let lines = 0;
    for (const line of writeDumpfile(scanned)) lines += line.length > 0 ? 1 : 0;
    assert.equal(lines, 61);
    execFileSync('rm', ['-rf', path]);
  });
});

function describeContents(root: Directory): unknown[] {
  return [...root.entries()].map(([name, inode]) => [name, inode instanceof Directory || inode.content]);
}

test('a file system that does not tell the types of entries has them found out, whatever the bytes of a name', (t) => {
  const ext4 = availableFileSystems().find(({ name }) => name === 'ext4');
  const reason = cannotMount() ?? (ext4 === undefined ? 'there is no ext4' : undefined);
  if (reason !== undefined || ext4 === undefined) return t.skip(reason);
  withTempDir((path) => {
    const [program = '', ...options] = ext4.make;
    const disk = join(path, 'disk');
    const directory = join(path, 'mounted');
    fs.mkdirSync(directory);
    makeDisk(disk, { ...ext4, size: 16, make: [program, ...options, '-O', '^filetype'] });
    mountDisk(disk, directory);
    try {
      const tree = join(directory, 'tree');
      fs.mkdirSync(join(tree, 'd\u00e9'), { recursive: true });
      fs.writeFileSync(join(tree, 'd\u00e9', '\u00e9'), 'x');
      fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from('a\xff', 'latin1')]), 'y');
      fs.symlinkSync('a', join(tree, 'plain'));
      const root = scanDirectory(tree, { algorithm: 'sha256' });
      assert.deepEqual(root.names(), ['a\xff', b('d\u00e9'), 'plain']);
      assert(root.lookup(b('d\u00e9')) instanceof Directory);
      assert.equal(getLeaf(root, b('plain')).content.type, 'symlink');
      assert.deepEqual(
        listDirectory(tree).map(({ name, kind }) => [name, kind]),
        [
          ['a\xff', 'regular-file'],
          [b('d\u00e9'), 'directory'],
          ['plain', 'symlink'],
        ],
      );
    } finally {
      unmount(directory);
    }
  });
});
