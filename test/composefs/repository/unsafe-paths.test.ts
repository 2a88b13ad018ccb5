import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ObjectStore, Repository, resetMetadata } from '../../../src/composefs/repository/index.js';
import { stepByStep, withDirectoryBeneath } from '../../../src/linux/open-beneath.js';
import { filesBelow } from '../../support/files-below.js';
import { tempDir, tempRepository, tempRoot, testData, treeOf, writeStream } from './temp-repository.js';

const IN_THREAD = { threads: 0 };
const isRoot = process.getuid?.() === 0;
const asRoot = { skip: isRoot ? false : 'only root can do this' };
const OLD = Date.now() / 1000 - 30 * 24 * 3600;

/** A directory with old files of every kind of name. */
function victim(t: TestContext): { path: string; names: readonly string[] } {
  const path = tempDir(t);
  const names = ['file', `sha256:${'a'.repeat(64)}`, '.symlink-AAAAAAAAAAAA'];
  for (const name of names) {
    writeFileSync(join(path, name), 'precious');
    utimesSync(join(path, name), OLD, OLD);
  }
  return { path, names: [...names].sort() };
}

describe('the way down from a directory', () => {
  const ways = {
    'openat2(2)': (fd: number, path: string) => withDirectoryBeneath(fd, path, path, () => 'inside'),
    'step by step': (fd: number, path: string) => stepByStep(fd, path, () => 'inside'),
  };
  for (const [name, go] of Object.entries(ways)) {
    it(`follows no symlink: ${name}`, (t) => {
      const root = tempRoot(t);
      mkdirSync(join(root.path, 'a/b'), { recursive: true });
      symlinkSync('a', join(root.path, 'link'));
      symlinkSync('/', join(root.path, 'a/out'));
      writeFileSync(join(root.path, 'file'), '');
      assert.equal(go(root.fd, 'a/b'), 'inside');
      for (const path of ['link', 'link/b', 'a/out', 'a/out/tmp']) {
        assert.throws(() => go(root.fd, path), { code: 'ELOOP' }, path);
      }
      for (const path of ['..', 'a/../..', '/tmp']) assert.throws(() => go(root.fd, path), { code: 'EXDEV' }, path);
      assert.throws(() => go(root.fd, 'none'), { code: 'ENOENT' });
      assert.throws(() => go(root.fd, 'file'), { code: 'ENOTDIR' });
    });
  }

  it('enters no mount', asRoot, (t) => {
    const root = tempRoot(t);
    mkdirSync(join(root.path, 'mounted'));
    execFileSync('mount', ['-t', 'tmpfs', 'none', join(root.path, 'mounted')]);
    try {
      assert.throws(() => root.list('mounted'), {
        code: 'UNSAFE_PATH',
        message: `${root.path}/mounted is, or lies behind, a mount point`,
      });
    } finally {
      execFileSync('umount', [join(root.path, 'mounted')]);
    }
  });

  it('errors name files as the user knows them', (t) => {
    const root = tempRoot(t);
    assert.throws(() => root.openFile('no'), { code: 'ENOENT', path: `${root.path}/no` });
    assert.throws(() => root.openFile('no/file'), { message: new RegExp(`^openat2 ${root.path}/no: `) });
    assert.throws(() => root.unlink('a\nb'), {
      message: `ENOENT: no such file or directory, unlink '${root.path}/a\nb'`,
    });
    for (const name of ['.', '..', '']) assert.throws(() => root.unlink(name), { code: 'INVALID_NAME' });
  });

  it('opens regular files only, and waits for none', asRoot, (t) => {
    const root = tempRoot(t);
    mkdirSync(join(root.path, 'directory'));
    execFileSync('mkfifo', [join(root.path, 'fifo')]);
    execFileSync('mknod', [join(root.path, 'null'), 'c', '1', '3']);
    symlinkSync('fifo', join(root.path, 'link'));
    for (const name of ['directory', 'fifo', 'null']) {
      assert.throws(() => root.openFile(name), {
        code: 'NOT_A_FILE',
        message: `${root.path}/${name} is not a regular file`,
      });
    }
    assert.throws(() => root.openFile('link'), {
      code: 'UNSAFE_PATH',
      message: `${root.path}/link is, or lies behind, a symbolic link`,
    });
  });
});

describe('a repository that leads elsewhere', () => {
  it('gc deletes nothing where .partial leads, and in .partial only what is ours', async (t) => {
    const repo = await tempRepository(t);
    const { path, names } = victim(t);
    symlinkSync(path, join(repo.path, '.partial'));
    for (const options of [{ ...IN_THREAD, dryRun: true }, IN_THREAD, {}]) {
      await assert.rejects(repo.gc(options), { code: 'UNSAFE_PATH' });
    }
    assert.deepEqual(readdirSync(path).sort(), names);

    unlinkSync(join(repo.path, '.partial'));
    mkdirSync(join(repo.path, '.partial'));
    const part = `sha256:${'b'.repeat(64)}`;
    const shared = `sha512:${'c'.repeat(128)}`;
    for (const name of ['notes', 'sha256:short', part]) writeFileSync(join(repo.path, '.partial', name), 'part');
    linkSync(join(path, 'file'), join(repo.path, '.partial', shared));
    symlinkSync('notes', join(repo.path, '.partial', `sha256:${'d'.repeat(64)}`));
    for (const name of readdirSync(join(repo.path, '.partial'))) {
      if (name !== `sha256:${'d'.repeat(64)}`) utimesSync(join(repo.path, '.partial', name), OLD, OLD);
    }
    const dry = await repo.gc({ ...IN_THREAD, dryRun: true });
    assert.deepEqual(dry.leftovers, { count: 1, bytes: 4 });
    assert.deepEqual(await repo.gc(IN_THREAD), dry);
    assert.deepEqual(
      readdirSync(join(repo.path, '.partial')).sort(),
      ['notes', 'sha256:short', shared, `sha256:${'d'.repeat(64)}`].sort(),
    );
  });

  it('objects elsewhere are neither deleted, nor made, nor shown', async (t) => {
    const other = await tempRepository(t);
    const kept = other.objects.ensureObject(testData(4096, 1));
    const repo = await tempRepository(t);
    symlinkSync(join(other.path, 'objects'), join(repo.path, 'objects'));
    const before = filesBelow(other.path);
    await assert.rejects(repo.gc(IN_THREAD), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.objects.ensureObject(testData(4096, 2)), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.objects.readObject(kept), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.objects.has(kept), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.openObjectsDirectory(), { code: 'UNSAFE_PATH' });
    assert.deepEqual(filesBelow(other.path), before);
  });

  it('one directory of objects elsewhere', async (t) => {
    const repo = await tempRepository(t);
    const id = repo.objects.ensureObject(testData(4096, 1));
    const outside = tempDir(t);
    renameSync(join(repo.path, 'objects', id.slice(0, 2)), join(outside, 'moved'));
    symlinkSync(join(outside, 'moved'), join(repo.path, 'objects', id.slice(0, 2)));
    await assert.rejects(repo.gc(IN_THREAD), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.objects.openObject(id), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.objects.ensureObject(testData(4096, 1)), { code: 'UNSAFE_PATH' });
    assert.deepEqual(readdirSync(join(outside, 'moved')), [id.slice(2)]);
  });

  it('an object that is a symlink is none', async (t) => {
    const repo = await tempRepository(t);
    const id = repo.objects.ensureObject(testData(4096, 1));
    const file = join(repo.path, 'objects', id.slice(0, 2), id.slice(2));
    unlinkSync(file);
    symlinkSync('/etc/passwd', file);
    assert.throws(() => repo.objects.readObject(id), { code: 'UNSAFE_PATH' });
    const result = await repo.fsck(IN_THREAD);
    assert.deepEqual(
      result.errors.map(({ type }) => type),
      ['object-open-failed'],
    );
  });

  it('no link is made in streams or images elsewhere', async (t) => {
    const repo = await tempRepository(t);
    const outside = tempDir(t);
    for (const name of ['streams', 'images']) symlinkSync(outside, join(repo.path, name));
    await assert.rejects(writeStream(repo, 'a', { ref: 'r' }), { code: 'UNSAFE_PATH' });
    await assert.rejects(repo.commitImage(treeOf(), 'i'), { code: 'UNSAFE_PATH' });
    assert.throws(() => repo.listStreamRefs(), { code: 'UNSAFE_PATH' });
    assert.deepEqual(readdirSync(outside), []);
  });

  it('links are followed inside of the repository only', async (t) => {
    const repo = await tempRepository(t);
    const id = await repo.commitImage(treeOf(), 'a/name');
    const outside = join(tempDir(t), 'objects', id.slice(0, 2));
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, id.slice(2)), 'another image');
    const link = join(repo.path, 'images', id);
    for (const [text, code] of [
      [join(outside, id.slice(2)), 'UNSAFE_PATH'],
      [`../../${'../'.repeat(20)}${outside}/${id.slice(2)}`, 'UNSAFE_PATH'],
      ['../meta.json', 'EINVAL'],
      [`../objects/${id.slice(0, 2)}/../${id.slice(0, 2)}/${id.slice(2)}`, undefined],
    ] as const) {
      unlinkSync(link);
      symlinkSync(text, link);
      for (const name of [id, 'refs/a/name']) {
        const open = (): unknown => repo.openImage(name);
        if (code === undefined) assert.doesNotThrow(open);
        else if (code === 'EINVAL') assert.throws(open, /Parsing the object id|Opening image/);
        else assert.throws(open, { code }, `${name} -> ${text}`);
      }
    }
    assert.equal(readFileSync(join(outside, id.slice(2)), 'utf8'), 'another image');
  });

  it('links that go in a circle end', async (t) => {
    const repo = await tempRepository(t);
    mkdirSync(join(repo.path, 'streams'));
    symlinkSync('b', join(repo.path, 'streams/a'));
    symlinkSync('a', join(repo.path, 'streams/b'));
    assert.throws(() => repo.openStream('a'), { code: 'ELOOP' });
    assert.equal((await repo.fsck(IN_THREAD)).errors.length, 2);
  });

  it('a reset removes links themselves', async (t) => {
    const repo = await tempRepository(t);
    const { path, names } = victim(t);
    mkdirSync(join(repo.path, 'streams/refs/deep'), { recursive: true });
    symlinkSync(path, join(repo.path, 'images'));
    symlinkSync(path, join(repo.path, 'streams/refs/deep/link'));
    resetMetadata(repo.path);
    assert.deepEqual(readdirSync(repo.path), []);
    assert.deepEqual(readdirSync(path).sort(), names);
  });
});

describe('a repository of another user', asRoot, () => {
  it('root reads it, and writes to it only if asked to', async (t) => {
    const path = join(tempDir(t), 'repo');
    const { repo: own } = await Repository.init(path, { insecure: true });
    const id = own.objects.ensureObject(testData(4096, 1));
    own.close();
    chownSync(path, 65534, 65534);
    const refused = {
      code: 'FOREIGN_OWNER',
      message: `the repository ${path} belongs to user 65534, not to root`,
      hint: 'write to it as that user; or, if you trust that user, with --allow-foreign-owner',
    };
    const repo = await Repository.open(path);
    t.after(() => repo.close());
    assert.equal(repo.objects.readObject(id).length, 4096);
    assert.equal((await repo.gc({ ...IN_THREAD, dryRun: true })).objectsRemoved, 1);
    await assert.rejects(repo.gc(IN_THREAD), refused);
    assert.throws(() => repo.objects.ensureObject(testData(4096, 2)), refused);
    assert.throws(() => repo.nameStream('a', 'b'), refused);
    assert.throws(() => repo.symlink('a', 'b'), refused);
    await assert.rejects(Repository.init(path, { insecure: true }), refused);
    assert.throws(() => resetMetadata(path), refused);
    assert.ok(existsSync(join(path, 'meta.json')));

    const allowed = await Repository.open(path, { allowForeignOwner: true });
    t.after(() => allowed.close());
    repo.close();
    assert.equal((await allowed.gc(IN_THREAD)).objectsRemoved, 1);
    await Repository.init(path, { insecure: true, allowForeignOwner: true }).then(({ repo }) => repo.close());
  });

  it('whoever became root by sudo may write to an own repository', async (t) => {
    const path = join(tempDir(t), 'repo');
    (await Repository.init(path, { insecure: true })).repo.close();
    chownSync(path, 65534, 65534);
    t.after(() => {
      delete process.env['SUDO_UID'];
    });
    for (const [uid, code] of [
      ['65534', undefined],
      ['6553', 'FOREIGN_OWNER'],
      ['', 'FOREIGN_OWNER'],
    ] as const) {
      process.env['SUDO_UID'] = uid;
      using repo = await Repository.open(path);
      if (code === undefined) repo.ensureWritable();
      else assert.throws(() => repo.ensureWritable(), { code });
    }
  });
});

describe('modes', () => {
  const umask = process.umask(0o22);
  process.umask(umask);
  for (const value of [0o000, 0o002, 0o077, 0o777]) {
    it(`do not depend on a umask of ${value.toString(8)}`, { skip: value === 0o777 && !isRoot }, async (t) => {
      process.umask(value);
      t.after(() => process.umask(umask));
      for (const forceNamedTempFiles of [false, true]) {
        const path = join(tempDir(t), 'repo');
        process.umask(value);
        const { repo } = await Repository.init(path, { insecure: true });
        t.after(() => repo.close());
        const store = new ObjectStore({ ...repo.objects.options, forceNamedTempFiles });
        const ids = [store.ensureObject(testData(4096, 1)), store.ensureObjectFromChunks([testData(2 ** 20, 2)]).id];
        await writeStream(repo, 'a', { ref: 'x/y' });
        await repo.commitImage(treeOf(), 'x/y');
        process.umask(umask);
        const mode = (name: string): string => (statSync(join(path, name)).mode & 0o7777).toString(8);
        assert.equal(mode('.'), '700');
        assert.equal(mode('meta.json'), '644');
        for (const id of ids) {
          assert.equal(mode(`objects/${id.slice(0, 2)}`), '755');
          assert.equal(mode(`objects/${id.slice(0, 2)}/${id.slice(2)}`), '644');
        }
        for (const name of ['objects', 'streams', 'streams/refs', 'streams/refs/x', 'images', 'images/refs']) {
          assert.equal(mode(name), '755', name);
        }
      }
    });
  }
});
