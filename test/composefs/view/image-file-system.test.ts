import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, openSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FormatVersion, readErofsTree, writeErofs } from '../../../src/composefs/erofs/index.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { Directory, fileTypeBits, type Inode } from '../../../src/composefs/tree/inode.js';
import { ImageFileSystem, type ObjectOpener } from '../../../src/composefs/view/index.js';
import { O_PATH, S_IFDIR } from '../../../src/linux/constants.js';
import { errnoName } from '../../../src/linux/errno.js';
import { cString, lastErrno, libcFunction } from '../../../src/linux/ffi.js';
import { withTempDir } from '../../support/paths.js';
import { randomTree } from '../../support/random-tree.js';
import { directory, image, inline, leaf, name, ROOT, stat, WHITEOUT, xattrs } from '../erofs/support.js';

const BIG = Buffer.alloc(600_000, 'external ');
const BIG_ID = computeVerity('sha256', BIG);
const OTHER_ID = computeVerity('sha256', Buffer.from('other'));

const NO_OBJECTS: ObjectOpener = {
  algorithm: 'sha256',
  openObject: (id) => openSync(`/nonexistent/${id}`, 'r'),
};

/** A few files of every kind, in a directory of objects. */
function sample(): Directory {
  const external = leaf({ type: 'regular', file: { storage: 'external', id: BIG_ID, size: BIG.length } });
  const link = (target: string) => leaf({ type: 'symlink', target: name(target) });
  return directory({
    usr: directory({
      lib: directory({ 'os-release': leaf(inline('ID=sample\n')), big: external, lost: lost() }),
      bin: directory({ sh: link('dash'), dash: leaf(inline('#!')), up: link('../../../../usr/lib') }),
    }),
    etc: directory({ 'os-release': link('../usr/lib/os-release'), absolute: link('/usr/lib/os-release') }),
    bin: link('usr/bin'),
    loop: link('loop'),
    dangling: link('nowhere'),
    hard: external,
    sparse: leaf({ type: 'regular', file: { storage: 'sparse', size: 300_000 } }),
    fifo: leaf({ type: 'fifo' }),
    null: leaf({ type: 'character-device', rdev: 0x103 }, stat(0o666)),
    ff: leaf(WHITEOUT),
    owned: leaf(
      inline('x'),
      stat(0o4750, { uid: 7, gid: 8, mtimeSec: -5, mtimeNsec: 500_000_000, xattrs: xattrs({ 'user.a': 'one' }) }),
    ),
  });
}

function lost(): ReturnType<typeof leaf> {
  return leaf({ type: 'regular', file: { storage: 'external', id: OTHER_ID, size: 5 } });
}

async function withSample(
  use: (files: ImageFileSystem, objects: string) => Promise<void>,
  options: { verify?: boolean } = {},
): Promise<void> {
  await withTempDir(async (folder) => {
    writeFileSync(join(folder, BIG_ID), BIG);
    const objects: ObjectOpener = {
      algorithm: 'sha256',
      openObject: (id: ObjectId) => openSync(join(folder, id), 'r'),
    };
    const data = writeErofs(sample(), { version: 1, algorithm: 'sha256' });
    await use(new ImageFileSystem(data, objects, options), folder);
  });
}

const failsWith = (code: string, message?: string) => (error: unknown) =>
  error instanceof Error &&
  'code' in error &&
  error.code === code &&
  (message === undefined || error.message === message || assert.equal(error.message, message) === undefined);

test('files are read whole, in parts and as text', async () => {
  await withSample(async (files) => {
    assert.equal(await files.readFile('/usr/lib/os-release', 'utf8'), 'ID=sample\n');
    assert.equal(await files.readFile('usr/lib/os-release', { encoding: 'base64' }), 'SUQ9c2FtcGxlCg==');
    assert.deepEqual(await files.readFile(Buffer.from('/usr/lib/big')), BIG);
    assert.deepEqual(await buffer(files.createReadStream('/hard')), BIG);
    assert.deepEqual(
      await buffer(files.createReadStream('/hard', { start: 262_100, end: 262_200 })),
      BIG.subarray(262_100, 262_201),
    );
    assert.equal((await buffer(files.createReadStream('/hard', { start: 599_999 }))).length, 1);
    assert.equal((await buffer(files.createReadStream('/hard', { start: 700_000 }))).length, 0);
    assert.equal(await text(files.createReadStream('/owned', { start: 0, end: 9 })), 'x');
    assert.deepEqual(await files.readFile('/sparse'), Buffer.alloc(300_000));
  });
});

test('symlinks are followed inside of the image, and never out of it', async () => {
  await withSample(async (files) => {
    assert.equal(await files.readFile('/etc/os-release', 'utf8'), 'ID=sample\n');
    assert.equal(await files.readFile('/etc/absolute', 'utf8'), 'ID=sample\n');
    assert.equal(await files.readFile('/bin/sh', 'utf8'), '#!');
    assert.equal(await files.realpath('/bin/up/../lib/./os-release'), '/usr/lib/os-release');
    assert.equal(await files.realpath('/../../bin/up'), '/usr/lib');
    assert.equal(await files.realpath(''), '/');
    assert.equal(await files.readlink('/bin'), 'usr/bin');
    assert.deepEqual(await files.readlink('/etc/absolute', { encoding: 'buffer' }), Buffer.from('/usr/lib/os-release'));
    assert.equal((await files.lstat('/bin')).isSymbolicLink(), true);
    assert.equal((await files.lstat('/bin/')).isDirectory(), true);
  });
});

test('what is wrong with a path is said as node:fs says it', async () => {
  await withSample(async (files) => {
    await assert.rejects(
      files.stat('/usr/none'),
      failsWith('ENOENT', "ENOENT: no such file or directory, stat '/usr/none'"),
    );
    await assert.rejects(files.stat('/dangling'), failsWith('ENOENT'));
    await assert.rejects(
      files.readFile('/loop'),
      failsWith('ELOOP', "ELOOP: too many symbolic links encountered, open '/loop'"),
    );
    await assert.rejects(
      files.readFile('/usr'),
      failsWith('EISDIR', "EISDIR: illegal operation on a directory, open '/usr'"),
    );
    await assert.rejects(files.readFile('/fifo'), failsWith('EINVAL'));
    await assert.rejects(files.readFile('/hard/'), failsWith('ENOTDIR'));
    await assert.rejects(files.readdir('/hard'), failsWith('ENOTDIR', "ENOTDIR: not a directory, scandir '/hard'"));
    await assert.rejects(files.readlink('/hard'), failsWith('EINVAL'));
    await assert.rejects(files.stat('/hard/below'), failsWith('ENOTDIR'));
    await assert.rejects(files.stat('x/'.repeat(2048)), failsWith('ENAMETOOLONG'));
    await assert.rejects(
      buffer(files.createReadStream('/none')),
      failsWith('ENOENT', "ENOENT: no such file or directory, open '/none'"),
    );
    await assert.rejects(
      files.readFile('/hard', { limit: 599_999 }),
      failsWith('FILE_TOO_LARGE', "'/hard' has 600000 bytes, more than 599999"),
    );
    await assert.rejects(files.readFile('/hard', { signal: AbortSignal.abort() }), { name: 'AbortError' });
    await files.access('/usr');
    await assert.rejects(files.access('/none'), failsWith('ENOENT'));
  });
});

test('objects that are lost, of another size, or damaged are named', async () => {
  await withSample(async (files, objects) => {
    await assert.rejects(
      files.readFile('/usr/lib/lost'),
      failsWith('MISSING_OBJECT', `object ${OTHER_ID} is not in the repository`),
    );
    writeFileSync(join(objects, OTHER_ID), 'others');
    await assert.rejects(
      files.readFile('/usr/lib/lost'),
      failsWith('WRONG_FILE_SIZE', `object ${OTHER_ID} has 6 bytes, and the image says 5`),
    );
    writeFileSync(join(objects, OTHER_ID), 'oTher');
    assert.equal(await files.readFile('/usr/lib/lost', 'utf8'), 'oTher');
  });
  await withSample(
    async (files, objects) => {
      writeFileSync(join(objects, OTHER_ID), 'oTher');
      const message = `object ${OTHER_ID} has the digest ${computeVerity('sha256', Buffer.from('oTher'))}`;
      await assert.rejects(files.readFile('/usr/lib/lost'), failsWith('DIGEST_MISMATCH', message));
      assert.deepEqual(await buffer(files.createReadStream('/hard', { start: 599_990 })), BIG.subarray(599_990));
    },
    { verify: true },
  );
});

test('stat says what the image has, with the object that holds the content', async () => {
  await withSample(async (files) => {
    const { ino, ...hard } = await files.stat('/hard');
    assert.equal(ino, (await files.stat('/usr/lib/big')).ino);
    assert.deepEqual([hard.mode, hard.nlink, hard.size, hard.object], [0o100644, 2, 600_000, BIG_ID]);
    const owned = await files.stat('/owned');
    assert.deepEqual([owned.mode, owned.uid, owned.gid, owned.size, owned.object], [0o104750, 7, 8, 1, undefined]);
    assert.deepEqual([owned.mtimeSec, owned.mtimeNsec, owned.mtimeMs], [-5, 500_000_000, -4500]);
    assert.deepEqual(await files.xattrs('/owned'), new Map([['user.a', Buffer.from('one')]]));
    assert.equal((await files.stat('/null')).rdev, 0x103);
    assert.deepEqual(await files.readdir('/usr'), ['bin', 'lib']);
    const entries = await files.readdir('/', { withFileTypes: true });
    assert.deepEqual(
      entries.filter((entry) => entry.isSymbolicLink()).map(({ name: of }) => of),
      ['bin', 'dangling', 'loop'],
    );
  });
});

test('a walk gives what the tree of the image has, for every format', async () => {
  await fc.assert(
    fc.asyncProperty(
      randomTree({ noVerity: true, overlayXattrs: true, negativeMtime: true }),
      fc.constantFrom<FormatVersion>(0, 1, 2),
      async (root, version) => {
        const data = writeErofs(root, { version, algorithm: 'sha256' });
        const files = new ImageFileSystem(data, NO_OBJECTS);
        const walked: unknown[] = [];
        for await (const { pathBytes, stats } of files.walk()) {
          const { mode, uid, gid, mtimeSec, mtimeNsec } = stats;
          walked.push([pathBytes.toString('latin1'), mode, uid, gid, mtimeSec, mtimeNsec]);
        }
        assert.deepEqual(walked, [...described(readErofsTree(data, 'sha256'), '')]);
      },
    ),
    { numRuns: 200 },
  );
});

function* described(parent: Directory, path: string): Generator<unknown[]> {
  const entries = [...parent.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [entry, inode] of entries) {
    const { mode, uid, gid, mtimeSec, mtimeNsec } = inode.stat;
    yield [`${path}/${entry}`, mode | typeBits(inode), uid, gid, mtimeSec, mtimeNsec];
    if (inode instanceof Directory) yield* described(inode, `${path}/${entry}`);
  }
}

function typeBits(inode: Inode): number {
  return inode instanceof Directory ? S_IFDIR : fileTypeBits(inode.content);
}

test('paths lead where the kernel goes with the image as its root', async () => {
  const part = fc.constantFrom('a', 'b', 'c', '..', '.', '');
  const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  const links = fc.array(fc.tuple(fc.constantFrom('a/x', 'a/b/x', 'y', 'b/c', 'a/c'), path), { maxLength: 4 });
  const asked = fc.array(fc.oneof(path, fc.constantFrom('a/x/b', 'y/c', 'b/c/..', 'a/x/')), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(links, asked, async (targets, paths) => {
      await withTempDir(async (top) => {
        const lines = [ROOT, ...['a', 'a/b', 'b'].map((folder) => `/${folder} 0 40755 2 0 0 0 0.0 - - -`)];
        for (const each of ['a/b', 'b']) mkdirSync(join(top, each), { recursive: true });
        for (const [at, target] of new Map(targets)) {
          if (target === '') continue;
          symlinkSync(target, join(top, at));
          lines.push(`/${at} ${target.length} 120777 1 0 0 0 0.0 ${target} - -`);
        }
        const files = new ImageFileSystem(image(1, ...lines), NO_OBJECTS);
        const root = openSync(top, constants.O_DIRECTORY);
        for (const each of paths) {
          const actual = await files.realpath(each === '' ? '/' : each).catch((error) => error.code);
          assert.equal(actual, realpathInRoot(root, top, each), `${each} of ${lines.join('; ')}`);
        }
        closeSync(root);
      });
    }),
    { numRuns: 100 },
  );
});

const SYS_OPENAT2 = 437;
const RESOLVE_IN_ROOT = 0x10;
const HOW = Buffer.alloc(24);
HOW.writeBigUInt64LE(BigInt(O_PATH), 0);
HOW.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT), 16);
const openat2 = libcFunction<[number: number, dirFd: number, path: Buffer, how: Buffer, size: number], number>(
  'syscall',
  'long',
  ['long', 'int', 'const void *', 'const void *', 'long'],
);

/** What the kernel makes of a path if `root`, which is `top`, is its root: a path from there, or the name of the error. */
function realpathInRoot(root: number, top: string, path: string): string {
  const fd = openat2(SYS_OPENAT2, root, cString(path === '' ? '/' : path), HOW, HOW.length);
  if (fd < 0) return errnoName(lastErrno());
  const found = readlinkSync(`/proc/self/fd/${fd}`);
  closeSync(fd);
  return found === top ? '/' : found.slice(top.length);
}

test('an image with a byte of its metadata changed is read in bounded time, or refused', async () => {
  const data = writeErofs(sample(), { version: 2, algorithm: 'sha256' });
  for (let at = 0; at < data.length; at += 7) {
    const changed = Buffer.from(data);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    try {
      const files = new ImageFileSystem(changed, NO_OBJECTS);
      let count = 0;
      for await (const entry of files.walk()) {
        assert.ok(entry.name.length > 0);
        count += 1;
        assert.ok(count < 1000);
      }
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error, String(error));
    }
  }
});
