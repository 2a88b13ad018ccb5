import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { composefsDump } from '../../src/cli/tools/composefs-dump.js';
import { composefsInfo } from '../../src/cli/tools/composefs-info.js';
import { mkcomposefs } from '../../src/cli/tools/mkcomposefs.js';
import { isErrno } from '../../src/fs/files.js';
import { noCDump, noCTools, runCTool, runOurTool, type ToolResult } from '../support/c-tools.js';
import { commandPath, withTempDir } from '../support/paths.js';
import { findInPath } from '../support/programs.js';
import { fillRandomDirectory } from '../support/random-directory.js';

/**
 * Our tools against those of composefs 1.0.8. `COMPOSEFS_TEST_INTEROP` is the number of random directories, whose first
 * seed is `COMPOSEFS_TEST_SEED`.
 */
const { COMPOSEFS_TEST_INTEROP = '2', COMPOSEFS_TEST_SEED = '1' } = process.env;
const isRoot = process.getuid?.() === 0;
const skip = noCTools() || (isRoot ? false : 'needs root to make devices');
const skipDump = skip || noCDump();

/** Command lines that work, by their options, and whether they make a store. */
const SETTINGS: readonly (readonly string[])[] = [
  [],
  ['--min-version=0'],
  ['--min-version=1'],
  ['--use-epoch', '--skip-devices', '--min-version=1'],
  ['--skip-xattrs'],
  ['--user-xattrs'],
];

test('images and objects of random directories are those of the C tools', { skip }, async (t) => {
  for (let index = 0; index < Number(COMPOSEFS_TEST_INTEROP); index++) {
    const seed = Number(COMPOSEFS_TEST_SEED) + index;
    await t.test(`seed ${seed}`, () => withTempDir((work) => compareDirectory(work, seed)));
  }
});

async function compareDirectory(work: string, seed: number): Promise<void> {
  const source = join(work, 'source');
  mkdirSync(source);
  fillRandomDirectory(source, seed);
  const settings = [...SETTINGS.entries()].filter(([index]) => index < 3 || index === 3 + (seed % 3));
  for (const [, options] of settings) {
    const ours = join(work, 'ours.cfs');
    const theirs = join(work, 'theirs.cfs');
    await mkcomposefs([...options, source, ours]);
    succeed(runCTool('mkcomposefs', [...options, source, theirs]));
    assert.ok(readFileSync(ours).equals(readFileSync(theirs)), `seed ${seed}, ${options.join(' ')}`);
  }
  await compareStores(work, source);
  await compareInfo(work);
  checkWithKernel(work);
}

/** Leaves the default image as `ours.cfs`, and the objects in `ours`. */
async function compareStores(work: string, source: string): Promise<void> {
  const [ours, theirs] = [join(work, 'ours'), join(work, 'theirs')];
  for (let run = 0; run < 2; run++) {
    await mkcomposefs([`--digest-store=${ours}`, source, join(work, 'ours.cfs')]);
    succeed(runCTool('mkcomposefs', [`--digest-store=${theirs}`, source, join(work, 'theirs.cfs')]));
    assert.ok(readFileSync(join(work, 'ours.cfs')).equals(readFileSync(join(work, 'theirs.cfs'))));
    assert.deepEqual(describeStore(ours), describeStore(theirs));
  }
}

function describeStore(path: string): Record<string, string> {
  const entries: Record<string, string> = {};
  try {
    for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()) {
      const stats = statSync(join(path, name));
      const content = stats.isDirectory() ? '' : readFileSync(join(path, name), 'latin1');
      entries[name] = `${stats.mode.toString(8)} ${stats.uid} ${content}`;
    }
  } catch (error) {
    // Neither of the tools makes a store for nothing.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  return entries;
}

async function compareInfo(work: string): Promise<void> {
  mkdirSync(join(work, 'ours'), { recursive: true });
  const image = join(work, 'ours.cfs');
  for (const args of [
    ['dump', image],
    ['ls', image],
    ['objects', image, image],
    [`--basedir=${work}/ours`, 'missing-objects', image],
    ['missing-objects', image],
    ['--filter=00', '--filter=a1', '--filter', '2b.txt', 'dump', image],
  ]) {
    assert.ok((await ourInfo(work, args)).equals(succeed(runCTool('composefs-info', args))), args.join(' '));
  }
  // What one of them dumps, the other makes into the same image.
  const dump = join(work, 'dump');
  writeFileSync(dump, await ourInfo(work, ['dump', image]));
  const [ours, theirs] = [join(work, 'from-dump'), join(work, 'from-dump-c')];
  // The whiteouts of an image of V1 have left their marks, so that V0 of its dump is another image than V0 of the source.
  const ownVersion = String(readFileSync(image).readUInt32LE(12));
  for (const version of ['0', '1']) {
    const args = [`--min-version=${version}`, `--max-version=${version}`, '--from-file', dump];
    await mkcomposefs([...args, ours]);
    succeed(runCTool('mkcomposefs', [...args, theirs]));
    assert.ok(readFileSync(ours).equals(readFileSync(theirs)), `V${version} of a dump`);
    if (version === ownVersion) assert.ok(readFileSync(ours).equals(readFileSync(image)), `V${version} again`);
  }
  composefsDump([image, join(work, 'again.cfs')]);
  assert.ok(readFileSync(join(work, 'again.cfs')).equals(readFileSync(image)));
  if (skipDump !== false) return;
  succeed(runCTool('composefs-dump', [image, join(work, 'again-c.cfs')]));
  assert.ok(readFileSync(join(work, 'again-c.cfs')).equals(readFileSync(image)));
}

/** What our tool prints, without a process for it. */
async function ourInfo(work: string, args: readonly string[]): Promise<Buffer> {
  const path = join(work, 'stdout');
  const fd = openSync(path, 'w');
  try {
    assert.equal(await composefsInfo(args, fd), 0);
  } finally {
    closeSync(fd);
  }
  return readFileSync(path);
}

/**
 * The kernel reads every file, in a mount namespace of its own; fsck.erofs reads all. Whiteouts are shown as empty files:
 * they are for the overlay above.
 */
function checkWithKernel(work: string): void {
  if (findInPath('fsck.erofs') !== undefined) {
    const { status, stdout, stderr } = spawnSync('fsck.erofs', ['ours.cfs'], { cwd: work, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  }
  const program = [process.execPath, commandPath('mount.composefs')];
  const script = `
    mkdir mnt && "$@" -o basedir=ours ours.cfs mnt && cd mnt || exit 1
    find . -type f -size +0 -print0 | sort -z | xargs -0 -r sha256sum -z > ../mounted
    cd ../source && find . -type f -size +0 -print0 | sort -z | xargs -0 -r sha256sum -z > ../expected`;
  const options = { cwd: work, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } } as const;
  const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...program], options);
  if (/No such device|Operation not permitted/.test(stderr)) return;
  assert.equal(status, 0, stderr);
  assert.ok(readFileSync(join(work, 'mounted')).equals(readFileSync(join(work, 'expected'))));
}

function succeed({ status, stdout, stderr }: ToolResult): Buffer {
  assert.equal(status, 0, stderr);
  return stdout;
}

let place = '';
before(() => {
  if (skip !== false) return;
  place = mkdtempSync('/tmp/composefs-oci-c-tools-');
  mkdirSync(join(place, 'dir'));
  mkdirSync(join(place, 'objects'));
  mkdirSync(join(place, 'mnt'));
  mkdirSync(join(place, 'special'));
  writeFileSync(join(place, 'file'), 'no image\n');
  writeFileSync(join(place, 'good.dump'), '/ 0 40755 2 0 0 0 0.0 - - -\n/w 0 20644 1 0 0 0 0.0 - - -\n');
  writeFileSync(join(place, 'bad.dump'), '/ 0 40755 2 0 0 0 0.0 - - -\n/a 0 x\n');
  succeed(runCTool('mkcomposefs', ['--from-file', 'good.dump', 'image'], { cwd: place }));
});
after(() => rmSync(place, { recursive: true, force: true }));

const MKCOMPOSEFS: readonly (readonly string[])[] = [
  [],
  ['--help'],
  ['-h'],
  ['-CR', 'dir', 'out'],
  ['--bogus', 'dir', 'out'],
  ['--print', 'dir', '-'],
  ['--print-digest=1', 'dir', '-'],
  ['--digest-store'],
  ['--thr', '0', 'dir', 'out'],
  ['--threads=x'],
  ['--threads=99999999999999999999'],
  ['--threads=4294967297', 'dir', 'out'],
  ['--min-version=', 'dir', 'out'],
  ['--min-version=1x', 'dir', 'out'],
  ['--max-version= ', 'dir', 'out'],
  ['--min-version= +1', '--print-digest', '--from-file', 'good.dump', 'out'],
  ['--min-version=4294967296', '--print-digest', '--from-file', 'good.dump', 'out'],
  ['--min-version=-1', 'dir', 'out'],
  ['--min-version=2', 'dir', 'out'],
  ['--max-version=2', 'dir', 'out'],
  ['--min-version=1', '--max-version=0', '--print-digest', '--from-file', 'good.dump', 'out'],
  ['--min-version=0', '--print-digest', '--from-file', 'good.dump', 'out'],
  ['--max-version=1', '--print-digest', '--from-file', 'good.dump', 'out'],
  ['--from-file', 'good.dump', '--print-digest', '-'],
  ['--from-file', '--print-digest-only', 'good.dump'],
  ['--from-file', '--use-epoch', '--skip-devices', '--print-digest-o', 'good.dump'],
  ['--print-digest-only', 'dir', 'out'],
  ['', 'out', 'x'],
  ['dir'],
  ['dir', 'out', 'x'],
  ['dir', '/nonexistent/out'],
  ['dir', 'dir'],
  ['nonexistent', 'out'],
  ['file/x', 'out'],
  ['file', 'out'],
  ['--skip-xattrs', '--user-xattrs', 'dir', 'out'],
  ['--from-file', 'nonexistent', 'out'],
  ['--from-file', 'dir', 'out'],
  ['--from-file', '/dev/null', 'out'],
  ['--from-file', 'bad.dump', 'out'],
  ['--', '--from-file', 'out'],
  ['dir', '--', 'out', '--print-digest'],
];

const INFO: readonly (readonly string[])[] = [
  [],
  ['--help'],
  ['-x', 'ls'],
  ['--x=3', 'ls'],
  ['--basedir'],
  ['ls', 'image', '--filter'],
  ['--b=/nonexistent', 'ls', 'image'],
  ['--basedir=file', 'ls', 'image'],
  ['--filter=a/b', 'ls'],
  ['bogus', 'image'],
  ['ls'],
  ['objects'],
  ['measure-file'],
  ['ls', 'nonexistent'],
  ['ls', 'dir'],
  ['ls', '/dev/null'],
  ['ls', 'image', 'nonexistent'],
  ['objects', 'image', 'nonexistent'],
  ['measure-file', 'file', 'good.dump', 'image'],
  ['measure-file', 'file', 'nonexistent'],
  ['measure-file', 'dir'],
  ['dump', '--', 'image'],
  ['ls', 'image', '--filter', 'w', '--filter=ab'],
  ['dump', 'image', 'image', '--fil', 'w'],
];

const DUMP: readonly (readonly string[])[] = [
  [],
  ['image'],
  ['image', 'out'],
  ['image', 'out', 'extra'],
  ['nonexistent', 'out'],
  ['', 'out'],
  ['file', 'out'],
  ['dir', 'out'],
  ['/dev/null', 'out'],
  ['image', '/nonexistent/out'],
  ['image', 'dir'],
  ['--help'],
  ['-x', 'out'],
];

const MOUNT: readonly (readonly string[])[] = [
  [],
  ['-h'],
  ['-x'],
  ['--help'],
  ['-o'],
  ['image'],
  ['-t', 'ext4', 'image', 'mnt'],
  ['image', 'mnt'],
  ['-o', 'ro', 'image', 'mnt'],
  ['-o', '', 'image', 'mnt'],
  ['-o', 'basedir', 'image', 'mnt'],
  ['-o', 'basedir=', 'image', 'mnt'],
  ['-o', 'basedir=a::b', 'image', 'mnt'],
  ['-o', 'basedir=objects,', 'image', 'mnt'],
  ['-o', 'foo=1,basedir', 'image', 'mnt'],
  ['-o', 'base\\dir=objects', 'image', 'mnt'],
  ['-o', 'digest', 'image', 'mnt'],
  ['-o', 'upperdir', 'image', 'mnt'],
  ['-o', 'basedir=objects,upperdir=x', 'image', 'mnt'],
  ['-o', 'basedir=objects,idmap', 'image', 'mnt'],
  ['-o', 'basedir=objects,idmap=/nonexistent', 'image', 'mnt'],
  ['-o', 'basedir=objects,digest=xx', 'image', 'mnt'],
  ['-o', 'basedir=objects,digest=abc', 'image', 'mnt'],
  ['-o', `basedir=objects,digest=${'a'.repeat(64)}`, 'image', 'mnt'],
  ['-o', 'basedir=objects', 'nonexistent', 'mnt'],
  ['-o', 'basedir=objects', 'file', 'mnt'],
  ['-o', 'basedir=objects', 'dir', 'mnt'],
];

for (const [tool, commandLines, skipTool] of [
  ['mkcomposefs', MKCOMPOSEFS, skip],
  ['composefs-info', INFO, skip],
  ['composefs-dump', DUMP, skipDump],
  ['mount.composefs', MOUNT, skip],
] as const) {
  test(`${tool} takes and refuses what the C tool does, in the same words`, { skip: skipTool }, () => {
    for (const args of commandLines) {
      const [ours, theirs] = [runOurTool, runCTool].map((run) => {
        rmSync(join(place, 'out'), { force: true });
        const { status, stdout, stderr } = run(tool, args, { cwd: place });
        return { status, stdout: stdout.toString('latin1'), stderr, out: sizeOf(join(place, 'out')) };
      });
      assert.deepEqual(ours, theirs, `${tool} ${args.join(' ')}`);
    }
  });
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
