import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeErofs } from '../../../src/composefs/erofs/index.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { ImageFileSystem, type ObjectOpener } from '../../../src/composefs/view/index.js';
import { describeDirectory, describeTree } from '../../support/describe-directory.js';
import { withTempDir } from '../../support/paths.js';
import { directory, inline, leaf, name, stat, WHITEOUT, xattrs } from '../erofs/support.js';

const BIG = Buffer.alloc(600_000, 'external ');
const BIG_ID = computeVerity('sha256', BIG);
const isRoot = process.geteuid?.() === 0;
const asRoot = { skip: isRoot ? false : 'needs root: owners, devices, xattrs of all kinds' };

function sample(): Directory {
  const external = leaf(
    { type: 'regular', file: { storage: 'external', id: BIG_ID, size: BIG.length } },
    stat(0o6755, { uid: 5, gid: 6, mtimeSec: 1_700_000_000, mtimeNsec: 123_456_789 }),
  );
  const times = { mtimeSec: -1, mtimeNsec: 999_999_999 };
  return directory(
    {
      closed: directory({ in: leaf(inline('secret'), stat(0o000)), link: external }, stat(0o500, times)),
      external,
      symlink: leaf(
        { type: 'symlink', target: name('../../../etc/passwd') },
        stat(0o777, { uid: 3, gid: 4, ...times }),
      ),
      into: leaf({ type: 'symlink', target: name('/tmp') }, stat(0o777)),
      attributes: leaf(
        inline('x'),
        stat(0o644, { xattrs: xattrs({ 'user.a': 'one', 'trusted.b': 'two', 'security.capability': CAPABILITY }) }),
      ),
      fifo: leaf({ type: 'fifo' }, stat(0o600)),
      null: leaf({ type: 'character-device', rdev: 0x103 }, stat(0o666)),
      whiteout: leaf(WHITEOUT, stat(0o000)),
      'caf\u00e9 \n': directory({ deep: directory({ deeper: directory({}) }) }, stat(0o1777)),
    },
    stat(0o751, { uid: 1, gid: 2, xattrs: xattrs({ 'user.top': '1' }) }),
  );
}

/** cap_net_raw=ep, as the kernel stores it. */
const CAPABILITY = '\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00';

async function withSample(
  use: (files: ImageFileSystem, folder: string, tree: Directory) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    const objects = join(folder, 'objects');
    mkdirSync(objects);
    writeFileSync(join(objects, BIG_ID), BIG);
    const opener: ObjectOpener = { algorithm: 'sha256', openObject: (id) => openSync(join(objects, id), 'r') };
    const tree = sample();
    await use(new ImageFileSystem(writeErofs(tree, { version: 1, algorithm: 'sha256' }), opener), folder, tree);
  });
}

const CONTENT = { algorithm: 'sha256', readObjectChunks: () => [BIG] } as const;

test('a whole image is written as it is: owners, modes, times, xattrs, links, devices', asRoot, async () => {
  await withSample(async (files, folder, tree) => {
    const result = await files.extract('/', join(folder, 'out'));
    assert.deepEqual(result, { entries: 14, bytes: 600_007, skippedXattrs: 0, skippedDevices: 0 });
    const written = describeDirectory(join(folder, 'out'), (of) => of !== 'security.selinux');
    assert.deepEqual(written, describeTree(tree, CONTENT));
    assert.deepEqual(readdirSync(folder).sort(), ['objects', 'out']);
  });
});

test('one file or one directory can be written', async () => {
  await withSample(async (files, folder) => {
    const one = await files.extract('/closed/in', join(folder, 'one'), { owners: false, xattrs: false });
    assert.deepEqual(one, { entries: 1, bytes: 6, skippedXattrs: 0, skippedDevices: 0 });
    assert.equal(lstatSync(join(folder, 'one')).mode, 0o100000);
    await files.extract('/closed', join(folder, 'some/'), { owners: false });
    assert.deepEqual(readdirSync(join(folder, 'some')), ['in', 'link']);
    assert.deepEqual(readFileSync(join(folder, 'some/link')), BIG);
    assert.equal(lstatSync(join(folder, 'some')).mode, 0o40500);
  });
});

test('a symlink at the end is written as such, and what it names is left alone', async () => {
  await withSample(async (files, folder) => {
    await files.extract('/symlink', join(folder, 'out'), { owners: false });
    assert.equal(lstatSync(join(folder, 'out')).isSymbolicLink(), true);
  });
});

test('what exists already is left as it is', async () => {
  await withSample(async (files, folder) => {
    writeFileSync(join(folder, 'out'), 'mine');
    await assert.rejects(files.extract('/closed', join(folder, 'out')), {
      code: 'EEXIST',
      message: `${join(folder, 'out')} exists already`,
    });
    assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'mine');
    assert.deepEqual(readdirSync(folder).sort(), ['objects', 'out']);
  });
});

test('nothing stays of what fails', async () => {
  await withTempDir(async (folder) => {
    const opener: ObjectOpener = { algorithm: 'sha256', openObject: (id) => openSync(`/nonexistent/${id}`, 'r') };
    const files = new ImageFileSystem(writeErofs(sample(), { version: 1, algorithm: 'sha256' }), opener);
    await assert.rejects(files.extract('/', join(folder, 'out'), { owners: false }), {
      code: 'MISSING_OBJECT',
      message: 'Extracting "/closed/link"',
    });
    await assert.rejects(files.extract('/', join(folder, 'out'), { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
    assert.deepEqual(readdirSync(folder), []);
  });
});

test('an ordinary user gets what he may have, and is told what is missing', asRoot, async () => {
  await withSample(async (_files, folder) => {
    // In a process of its own, which gives up its rights.
    const script = join(folder, 'as-user.mjs');
    const module = new URL('../../../src/composefs/view/index.js', import.meta.url).href;
    const image = join(folder, 'image');
    writeFileSync(image, writeErofs(sample(), { version: 1, algorithm: 'sha256' }), { mode: 0o644 });
    writeFileSync(
      script,
      `import { readFileSync, openSync } from 'node:fs';
       const { ImageFileSystem } = await import(${JSON.stringify(module)});
       process.setgroups([]); process.setgid(1234); process.setuid(1234);
       const objects = { algorithm: 'sha256', openObject: () => openSync(${JSON.stringify(join(folder, 'objects', BIG_ID))}) };
       const files = new ImageFileSystem(readFileSync(${JSON.stringify(image)}), objects);
       console.log(JSON.stringify(await files.extract('/', ${JSON.stringify(join(folder, 'user/out'))})));`,
    );
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    mkdirSync(join(folder, 'user'));
    execFileSync('chown', ['1234:1234', join(folder, 'user')]);
    const printed = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8' }));
    assert.deepEqual(printed, { entries: 14, bytes: 600_007, skippedXattrs: 2, skippedDevices: 1 });
    assert.equal(lstatSync(join(folder, 'user/out/external')).uid, 1234);
    assert.equal(existsSync(join(folder, 'user/out/null')), false);
  });
});
