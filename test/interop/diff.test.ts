import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { umount2 } from '../../src/linux/mount-api.js';
import type { TestRepository } from '../support/cfsctl.js';
import { CfsctlFixtures } from '../support/cfsctl-fixtures.js';
import { findInPath, realImages } from '../support/programs.js';

/** `oci diff` finds what `diff -r` and `rsync --dry-run --itemize-changes` find between two mounts. */

const images = realImages();
const skip =
  images.length === 0
    ? 'no real images (COMPOSEFS_TEST_IMAGES)'
    : findInPath('rsync') === undefined
      ? 'rsync is not installed'
      : process.getuid?.() !== 0
        ? 'mounting needs root'
        : false;

interface JsonDifference {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly path: string;
  readonly aspects?: readonly string[];
  readonly before?: { readonly type: string };
  readonly after?: { readonly type: string };
}

/** Path to what is the matter with it. */
type Found = Map<string, string>;

const RSYNC_ASPECTS: readonly [flag: string, aspect: string][] = [
  ['c', 'content'],
  ['t', 'time'],
  ['p', 'mode'],
  ['o', 'owner'],
  ['g', 'owner'],
  ['x', 'xattrs'],
];

function rsync(before: string, after: string): Found {
  const args = ['--dry-run', '--itemize-changes', '-aAX', '--checksum', '--delete', '-8', `${after}/`, `${before}/`];
  const { stdout, stderr, status } = spawnSync('rsync', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  const found: Found = new Map();
  for (const line of stdout.split('\n')) {
    const [, flags, path = ''] = /^(.{11}) (.*)$/.exec(line) ?? [];
    if (flags === undefined) continue;
    const plain = path
      .replace(/ -> .*$/, '')
      .replace(/\/$/, '')
      .replace(/^\.$/, '');
    const name = `/${unescaped(plain)}`;
    if (flags.startsWith('*deleting')) found.set(name, 'removed');
    else if (flags.includes('+++++')) found.set(name, 'added');
    else {
      const of = RSYNC_ASPECTS.filter(([flag]) => flags.slice(2).includes(flag)).map(([, aspect]) => aspect);
      found.set(name, [...new Set(of)].sort().join(','));
    }
  }
  return found;
}

function unescaped(path: string): string {
  return path.replace(/\\#([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The same of `oci diff --no-renames --json`. */
function asRsync(differences: readonly JsonDifference[]): Found {
  const found: Found = new Map();
  for (const { kind, path, aspects } of differences) {
    // What a link leads to is its content for rsync.
    const names = aspects?.map((aspect) => (aspect === 'target' ? 'content' : aspect)).sort();
    const text = (names ?? []).join(',');
    // It makes anew what has another type.
    found.set(path, kind !== 'changed' ? kind : text.includes('type') ? 'added' : text);
  }
  return found;
}

/** Files that differ in type or content, and the topmost names that one tree has. */
function diffRecursive(before: string, after: string): string[] {
  const args = ['-rq', '--no-dereference', before, after];
  const { stdout } = spawnSync('diff', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout
    .split('\n')
    .flatMap((line) => {
      const only = /^Only in (.*?): (.*)$/.exec(line);
      if (only !== null) {
        const [, directory = '', name = ''] = only;
        const side = directory === after || directory.startsWith(`${after}/`) ? after : before;
        return `only ${side === after ? 'after' : 'before'} ${directory.slice(side.length)}/${name}`;
      }
      const [, path] = /^(?:Files|Symbolic links|File) (.*?) (?:and|is an?) .*/.exec(line) ?? [];
      // The rest of a name that has a line feed.
      return path === undefined ? [] : [`differ ${path.slice(before.length)}`];
    })
    .sort();
}

function asDiff(differences: readonly JsonDifference[]): string[] {
  const only = new Set<string>();
  const lines: string[] = [];
  for (const { kind, path, aspects } of differences) {
    if (kind === 'changed') {
      if (aspects?.some((aspect) => ['content', 'target', 'type'].includes(aspect))) lines.push(`differ ${path}`);
      continue;
    }
    only.add(path);
    if (!only.has(path.slice(0, path.lastIndexOf('/'))))
      lines.push(`only ${kind === 'added' ? 'after' : 'before'} ${path}`);
  }
  return lines.map((line) => line.replace(/\n.*/s, '')).sort();
}

describe('oci diff finds what diff and rsync find', { skip }, () => {
  const fixtures = new CfsctlFixtures();
  let repository: TestRepository;
  const mounts = new Map<string, string>();

  before(() => {
    repository = fixtures.repo();
    for (const { name, path } of images) {
      repository.ok('oci', 'pull', '--quiet', `oci:${path}:gzip`, name);
      const at = fixtures.path(`mount-${name}`);
      mkdirSync(at);
      repository.ok('oci', 'mount', '--fuse=no', name, at);
      mounts.set(name, at);
    }
  });

  after(() => {
    for (const at of mounts.values()) umount2(at, 0);
    fixtures.remove();
  });

  const differencesOf = (a: string, b: string): JsonDifference[] => {
    const { stdout, stderr, status } = repository.run(
      'oci',
      'diff',
      '--json',
      '--no-renames',
      '--ignore',
      'links',
      a,
      b,
    );
    assert.ok(status === 0 || status === 1, stderr);
    // Of files on disk the object is not known where size or place tell that they differ.
    return JSON.parse(stdout, (key, value) => (key === 'object' ? undefined : value)).differences;
  };

  for (const [index, { name }] of images.entries()) {
    const other = images[(index + 1) % images.length]?.name ?? name;
    test(`${name} and ${other}`, () => {
      const [one, two] = [mounts.get(name) ?? '', mounts.get(other) ?? ''];
      const differences = differencesOf(name, other);
      assert.deepEqual(asRsync(differences), rsync(one, two));
      assert.deepEqual(asDiff(differences), diffRecursive(one, two));
      // The mounted trees are what the images say.
      assert.deepEqual(differencesOf(name, two), differences);
      assert.deepEqual(differencesOf(one, name), []);
    });
  }

  test('changes in a writable mount', () => {
    const name = images.find((image) => image.name === 'debian')?.name ?? images[0]?.name ?? '';
    const [at, upper, work] = ['writable', 'upper', 'work'].map((each) => {
      const path = fixtures.path(each);
      mkdirSync(path);
      return path;
    });
    assert.ok(at !== undefined && upper !== undefined && work !== undefined);
    repository.ok('oci', 'mount', '--fuse=no', '--upperdir', upper, '--workdir', work, '--read-write', name, at);
    mounts.set('writable', at);
    const etc = readdirSync(join(at, 'etc'), { withFileTypes: true }).filter((entry) => entry.isFile());
    const [a = '', b = '', c = '', d = '', e = '', f = ''] = etc.map((entry) => join(at, 'etc', entry.name));
    writeFileSync(a, 'other content');
    chmodSync(b, 0o4711);
    chownSync(c, 12, 34);
    utimesSync(d, 1e9, 1e9);
    rmSync(e);
    renameSync(f, join(at, 'etc/renamed'));
    mkdirSync(join(at, 'new directory'));
    writeFileSync(join(at, 'new directory/file'), 'x'.repeat(1000));
    symlinkSync('nowhere', join(at, 'new directory/link'));
    spawnSync('setfattr', ['-n', 'user.test', '-v', 'value', b]);
    const differences = differencesOf(name, at);
    assert.ok(differences.length >= 10);
    assert.deepEqual(asRsync(differences), rsync(mounts.get(name) ?? '', at));
    assert.deepEqual(asDiff(differences), diffRecursive(mounts.get(name) ?? '', at));
  });
});
