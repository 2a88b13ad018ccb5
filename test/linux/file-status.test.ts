import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { byteStringFrom, byteStringFromText } from '../../src/bytes/byte-string.js';
import { S_IFMT } from '../../src/linux/constants.js';
import { SystemError } from '../../src/linux/errno.js';
import { FileStatus, IDENTITY_WORDS } from '../../src/linux/file-status.js';
import { makeNode } from '../../src/linux/link.js';
import { withTempDir } from '../support/paths.js';
import { withFd } from '../support/with-fd.js';

function assertSame(status: FileStatus, path: string | Buffer): void {
  const stats = lstatSync(path, { bigint: true });
  const { type, permissions, uid, gid, size, mtimeSec, mtimeNsec, inode, rdev } = status;
  assert.equal(BigInt(type | permissions), stats.mode);
  assert.equal(type, Number(stats.mode) & S_IFMT);
  assert.deepEqual([uid, gid, size], [stats.uid, stats.gid, stats.size].map(Number));
  assert.equal(BigInt(mtimeSec) * 1_000_000_000n + BigInt(mtimeNsec), stats.mtimeNs);
  assert.equal(BigInt(inode), stats.ino);
  assert.equal(BigInt(rdev), stats.rdev);
}

test('files of all types have the status that lstat gives', () =>
  withTempDir((path) => {
    mkdirSync(join(path, 'directory'), { mode: 0o751 });
    symlinkSync('away', join(path, 'link'));
    writeFileSync(join(path, 'large'), '');
    truncateSync(join(path, 'large'), 2 ** 40 + 1);
    writeFileSync(join(path, 'old'), 'x');
    execFileSync('touch', ['-d', '1969-12-31T23:59:58.25Z', join(path, 'old')]);
    execFileSync('touch', ['-d', '2400-01-01T00:00:00.999999999Z', join(path, 'large')]);
    execFileSync('mkfifo', [join(path, 'fifo')]);
    const names = ['directory', 'link', 'large', 'old', 'fifo'].map(byteStringFromText);
    if (process.getuid?.() === 0) {
      execFileSync('chown', ['4000000000:4294967294', join(path, 'old')]);
      // Major 0xabc, minor 0x12345, as the kernel packs them.
      makeNode(join(path, 'device'), 0o020600, 0x123a_bc45);
      names.push(byteStringFromText('device'));
    }
    const bytes = Buffer.from([0xff, 0x20, 0xc3, 0xa9]);
    writeFileSync(Buffer.concat([Buffer.from(`${path}/`), bytes]), 'bytes');
    names.push(byteStringFrom(bytes));

    const status = new FileStatus();
    const expected = lstatSync(path, { bigint: true }).dev;
    withFd(path, (fd) => {
      for (const name of names) {
        status.readEntry(fd, name);
        assertSame(status, Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name, 'latin1')]));
        assert.equal(status.device, Math.floor(Number(expected >> 8n) & 0xfff) * 2 ** 32 + Number(expected & 0xffn));
      }
      assert.throws(
        () => status.readEntry(fd, byteStringFromText('none')),
        (error) => error instanceof SystemError && error.code === 'ENOENT' && /^statx none: /.test(error.message),
      );
      const tooLong = byteStringFromText('x'.repeat(5000));
      assert.throws(() => status.readEntry(fd, tooLong), { code: 'ENAMETOOLONG' });
      assert.throws(() => status.readEntry(fd, byteStringFromText('old\0')), { code: 'EINVAL' });
      status.readFd(fd);
      assertSame(status, path);
    });
    assert.throws(() => status.readFd(-1), { code: 'EBADF', message: /^statx fd -1: / });
  }));

test('the identity of a file is its inode, its size and its mtime', () =>
  withTempDir((path) => {
    const [one, other] = [join(path, 'one'), join(path, 'other')];
    for (const file of [one, other]) writeFileSync(file, 'content');
    for (const file of [one, other]) execFileSync('touch', ['-d', '2020-01-01T00:00:00Z', file]);
    const status = new FileStatus();
    const read = (file: string): void => withFd(file, (fd) => status.readFd(fd));
    const words = new Uint32Array(3 + IDENTITY_WORDS);
    read(one);
    status.copyIdentity(words, 3);
    const compare = (file: string): readonly boolean[] => {
      read(file);
      return [status.hasIdentity(words, 3), status.isSameInode(words, 3)];
    };
    assert.deepEqual(compare(one), [true, true]);
    assert.deepEqual(compare(other), [false, false]);
    execFileSync('touch', ['-d', '2020-01-01T00:00:00.000000001Z', one]);
    assert.deepEqual(compare(one), [false, true]);
    execFileSync('touch', ['-d', '2020-01-01T00:00:00Z', one]);
    assert.deepEqual(compare(one), [true, true]);
    writeFileSync(one, 'other content');
    execFileSync('touch', ['-d', '2020-01-01T00:00:00Z', one]);
    assert.deepEqual(compare(one), [false, true]);
  }));
