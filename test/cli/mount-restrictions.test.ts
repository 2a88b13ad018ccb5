import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readMountInfo } from '../../src/system/mount-info.js';
import { cfsctl } from '../support/cfsctl.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { tarArchive, tarDevice, tarDirectory, tarEntry } from '../support/tar-builder.js';

/** What an ordinary user can do with a set-user-id program and a device node of an image, mounted in every way. */

const PROGRAM = '/usr/bin/id';
const NOBODY = { uid: 65534, gid: 65534 };
const skip =
  process.getuid?.() !== 0 || !existsSync(PROGRAM) || !existsSync('/dev/fuse') ? 'needs root, id(1) and FUSE' : false;

const directory = mkdtempSync(join(tmpdir(), 'composefs-oci-test-restrictions-'));
const at = (name: string): string => join(directory, name);
let imageId = '';

before(() => {
  if (skip !== false) return;
  // The other user has to get to the mount points.
  chmodSync(directory, 0o755);
  for (const name of ['mnt', 'upper', 'work']) mkdirSync(at(name));
  const device = tarDevice('zero', '3', 1, 5);
  const layer = tarArchive([
    tarDirectory('usr'),
    tarEntry({ name: 'usr/id', mode: 0o4755 }, readFileSync(PROGRAM)),
    device,
  ]);
  new LayoutBuilder().addImage(buildImage([layer])).write(at('layout'));
  ok('init', '--insecure');
  ok('oci', 'pull', `oci:${at('layout')}`, 'app');
  imageId = JSON.parse(ok('oci', 'inspect', 'app')).composefs_erofs.replace(/^.*:/, '');
});
after(() => {
  spawnSync('umount', ['-l', at('mnt')]);
  rmSync(directory, { recursive: true, force: true });
});

function ok(...args: string[]): string {
  const { status, stdout, stderr } = cfsctl(['--repo', at('repo'), ...args]);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

const UPPER = ['--read-write', '--upperdir', at('upper'), '--workdir', at('work')];
const WAYS: Readonly<Record<string, readonly string[]>> = {
  'with the kernel': ['--fuse', 'no'],
  'with the kernel, writable': ['--fuse', 'no', ...UPPER],
  'through FUSE': ['--fuse', 'yes'],
  'as an overlay on FUSE': ['--fuse', 'yes', ...UPPER],
};

interface Findings {
  /** Restrictions that the mount table shows. */
  readonly flags: string;
  /** The effective user of the set-user-id program; undefined if it cannot be run. */
  readonly user: string | undefined;
  readonly readsDevice: boolean;
}

function look(): Findings {
  const mount = readMountInfo().findLast(({ mountPoint }) => mountPoint === at('mnt'));
  const run = spawnSync(at('mnt/usr/id'), ['-u'], { ...NOBODY, encoding: 'utf8' });
  // The mode of the device is the image's; root may open it in any case but of this.
  const read = spawnSync('head', ['-c', '1', at('mnt/zero')]);
  return {
    flags: (mount?.options ?? []).filter((option) => /^no(?:suid|dev|exec)$/.test(option)).join(),
    user: run.status === 0 ? run.stdout.trim() : undefined,
    readsDevice: read.status === 0,
  };
}

function lookAt(mountArgs: readonly string[]): Findings {
  ok(...mountArgs);
  try {
    return look();
  } finally {
    ok('umount', at('mnt'));
  }
}

for (const [way, options] of Object.entries(WAYS)) {
  test(`an image mounted ${way}: what is not to be, is not`, { skip }, () => {
    const mounted = (...more: string[]): Findings => lookAt(['mount', ...options, ...more, imageId, at('mnt')]);
    const oci = (...more: string[]): Findings => lookAt(['oci', 'mount', ...options, ...more, 'app', at('mnt')]);
    assert.deepEqual(mounted(), { flags: '', user: '0', readsDevice: true });
    assert.deepEqual(mounted('--nosuid', '--nodev', '--noexec'), {
      flags: 'nosuid,nodev,noexec',
      user: undefined,
      readsDevice: false,
    });
    assert.deepEqual(mounted('-o', 'ro,nosuid,nodev', ...(options.includes('--read-write') ? [] : ['-o', 'exec'])), {
      flags: 'nosuid,nodev',
      user: '65534',
      readsDevice: false,
    });
    assert.deepEqual(oci(), { flags: 'nodev', user: '0', readsDevice: false });
    assert.deepEqual(oci('--dev'), { flags: '', user: '0', readsDevice: true });
    assert.deepEqual(oci('-o', 'dev,nosuid'), { flags: 'nosuid', user: '65534', readsDevice: true });
  });
}

test('mount.composefs takes the same options', { skip }, () => {
  const image = join(at('repo'), 'images', imageId);
  const mounted = (options: string): Findings => {
    const basedir = join(at('repo'), 'objects');
    const { status, stderr } = cfsctl(['mount.composefs', '-o', `basedir=${basedir}${options}`, image, at('mnt')]);
    assert.equal(status, 0, stderr);
    try {
      return look();
    } finally {
      ok('umount', at('mnt'));
    }
  };
  assert.deepEqual(mounted(''), { flags: '', user: '0', readsDevice: true });
  assert.deepEqual(mounted(',nosuid,nodev,noexec,dev'), {
    flags: 'nosuid,noexec',
    user: undefined,
    readsDevice: true,
  });
  assert.deepEqual(mounted(',ro,nosuid,nodev'), { flags: 'nosuid,nodev', user: '65534', readsDevice: false });
});

test('mount options that are none are wrong usage', { skip }, () => {
  const { status, stderr } = cfsctl(['mount', '-o', 'ro,bogus', 'x', '/mnt']);
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^error: invalid value 'ro,bogus' for '--options <OPTIONS>': unknown option 'bogus' \(expected /,
  );
  const rw = cfsctl(['--repo', at('repo'), 'oci', 'mount', '-o', 'rw', 'app', at('mnt')]);
  assert.equal(rw.status, 2);
  assert.match(rw.stderr, /^error: '-o rw' needs '--upperdir <UPPERDIR>' and '--workdir <WORKDIR>'\n/);
});
