import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { buildImage, LayoutBuilder, spdxArtifact } from '../../support/oci-fixtures.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarSymlink } from '../../support/tar-builder.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const MOVED = 'moved '.repeat(100);
const mtime = 1_000_000_000;

let repository: TestRepository;

before(() => {
  const base = [tarDirectory('usr/', { mtime }), tarDirectory('etc/', { mtime }), tarDirectory('run/', { mtime })];
  const one = buildImage([
    tarArchive([
      ...base,
      tarFile('etc/conf', 'a=1\n', { mtime }),
      tarFile('etc/secret', 'x', { mtime, mode: 0o644 }),
      tarFile('usr/old', MOVED, { mtime }),
      tarFile('usr/gone', 'gone', { mtime }),
      tarSymlink('etc/link', 'conf', { mtime }),
    ]),
  ]);
  const two = buildImage([
    tarArchive([
      ...base,
      tarFile('etc/conf', 'a=22\n', { mtime: mtime + 1 }),
      tarFile('etc/secret', 'x', { mtime, mode: 0o600, uid: 5 }),
      tarDirectory('usr/lib/', { mtime }),
      tarFile('usr/lib/new', MOVED, { mtime }),
      tarSymlink('etc/link', './conf', { mtime }),
    ]),
  ]);
  const layout = fixtures.path('layout');
  new LayoutBuilder()
    .addImage(one, { tag: 'one' })
    .addImage(two, { tag: 'two' })
    .addImage(spdxArtifact(), { tag: 'sbom' })
    .write(layout);
  repository = fixtures.repo();
  for (const tag of ['one', 'two', 'sbom']) repository.ok('oci', 'pull', `oci:${layout}:${tag}`, tag);
  repository.ok('oci', 'tag', repository.ok('oci', 'pull', '--quiet', `oci:${layout}:one`, 'x'), 'again');
});

const DIFFERENCES = [
  'C /etc/conf (content 4 B -> 5 B, time 2001-09-09 01:46:40 -> 2001-09-09 01:46:41)',
  'C /etc/link (target "conf" -> "./conf")',
  'C /etc/secret (mode 0644 -> 0600, owner 0:0 -> 5:0)',
  'D /usr/gone',
  'A /usr/lib/',
  'R /usr/old -> /usr/lib/new',
].join('\n');

test('oci diff lists what differs, and says so by its exit status', () => {
  const { status, stdout, stderr } = repository.run('oci', 'diff', 'one', 'two');
  assert.deepEqual({ status, stdout, stderr }, { status: 1, stdout: `${DIFFERENCES}\n`, stderr: '' });
  assert.deepEqual(repository.run('oci', 'diff', 'one', 'again'), { status: 0, stdout: '', stderr: '' });
  assert.deepEqual(repository.run('oci', 'diff', '-s', 'one', 'again'), {
    status: 0,
    stdout: 'no differences\n',
    stderr: '',
  });
  assert.equal(
    repository.run('oci', 'diff', '--summary', 'one', 'two').stdout,
    '1 added, 1 removed, 1 renamed, 3 changed (content 1, time 1, target 1, mode 1, owner 1); 5 B more, 8 B less\n',
  );
});

test('oci diff can leave out aspects and renames', () => {
  const { stdout } = repository.run('oci', 'diff', '--ignore', 'content,time,mode', '--no-renames', 'one', 'two');
  assert.equal(
    stdout,
    'C /etc/link (target "conf" -> "./conf")\nC /etc/secret (owner 0:0 -> 5:0)\nD /usr/gone\nA /usr/lib/\nA /usr/lib/new\nD /usr/old\n',
  );
  const wrong = repository.run('oci', 'diff', '--ignore', 'mode,colour', 'one', 'two');
  assert.equal(wrong.status, 2);
  assert.match(
    wrong.stderr,
    /^error: invalid value 'colour' for '--ignore <ASPECT,...>'\n {2}\[possible values: type, /,
  );
});

test('oci diff --json', () => {
  const { status, stdout } = repository.run('oci', 'diff', '--json', 'one', 'two');
  assert.equal(status, 1);
  const { same, summary, differences } = JSON.parse(stdout);
  assert.equal(same, false);
  assert.deepEqual(summary, {
    added: 1,
    removed: 1,
    changed: 3,
    renamed: 1,
    aspects: { content: 1, time: 1, target: 1, mode: 1, owner: 1 },
    added_bytes: 5,
    removed_bytes: 8,
  });
  assert.equal(differences.length, 6);
  const stat = { mode: '0644', uid: 0, gid: 0, mtime: '1000000000.000000000' };
  const moved = { type: 'file', ...stat, size: 600, object: computeVerity('sha512', Buffer.from(MOVED)) };
  assert.deepEqual(differences.at(-1), {
    kind: 'renamed',
    path: '/usr/lib/new',
    from: '/usr/old',
    aspects: [],
    before: moved,
    after: moved,
  });
  assert.deepEqual(JSON.parse(repository.run('oci', 'diff', '--json', 'one', 'again').stdout), {
    same: true,
    summary: { added: 0, removed: 0, changed: 0, renamed: 0, aspects: {}, added_bytes: 0, removed_bytes: 0 },
    differences: [],
  });
});

test('a directory is compared as it is, or as an image of it would be', () => {
  const rootfs = fixtures.path('rootfs');
  for (const directory of ['usr', 'etc', 'run']) mkdirSync(join(rootfs, directory), { recursive: true });
  writeFileSync(join(rootfs, 'run/pid'), '1');
  writeFileSync(join(rootfs, 'etc/conf'), 'a=1\n');
  writeFileSync(join(rootfs, 'etc/secret'), 'x');
  writeFileSync(join(rootfs, 'usr/old'), MOVED);
  writeFileSync(join(rootfs, 'usr/gone'), 'gone');
  chmodSync(rootfs, 0o700);
  const ignore = ['--ignore', 'time,owner'];
  assert.equal(
    repository.run('oci', 'diff', ...ignore, 'one', rootfs).stdout,
    'C / (mode 0755 -> 0700)\nD /etc/link\nA /run/pid\n',
  );
  assert.equal(repository.run('oci', 'diff', ...ignore, '--as-image', 'one', rootfs).stdout, 'D /etc/link\n');
  const { status } = repository.run('oci', 'diff', rootfs, rootfs);
  assert.equal(status, 0);
});

test('what cannot be compared is trouble, which is no difference', () => {
  const cases: [args: string[], message: RegExp][] = [
    [['one', 'nothing'], /^Error: nothing is neither a stored image nor a directory\n/],
    [
      ['one', 'sbom'],
      /^Error: sha256:[0-9a-f]{64} is an artifact of type text\/spdx\+json, which has no file system\n/,
    ],
    [['one', '/nowhere/at/all'], /^Error: Scanning directory "\/nowhere\/at\/all"\n/],
    [['one', 'f'.repeat(128)], /^Error: .*f{128}/],
  ];
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = repository.run('oci', 'diff', ...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
  assert.equal(repository.run('oci', 'diff', 'one').status, 2);
});

test('oci explain of a digest by rules that no option changes, in the words of boot check', () => {
  const first = tarArchive([tarDirectory('usr/', { mtime: 5 }), paxHeader([['mtime', '6.5']]), tarFile('usr/a', 'a')]);
  const whole = tarArchive([tarDirectory('usr/', { mtime: 5 }), tarFile('usr/a', 'a', { mtime: 6 })]);
  const second = tarArchive([tarFile('usr/b', 'b', { mtime: 7 })]);
  const own = fixtures.repo();
  const layout = fixtures.path('explained');
  const images = { whole: [whole, second], first: [first], all: [first, second] };
  const builder = new LayoutBuilder();
  for (const [tag, layers] of Object.entries(images)) builder.addImage(buildImage(layers), { tag });
  builder.write(layout);
  for (const tag of Object.keys(images)) own.ok('oci', 'pull', `oci:${layout}:${tag}`, tag);
  const explain = (tag: string): string[] => {
    const digest = own.ok('--erofs-version', '1', 'oci', 'compute-id', tag);
    return own.ok('--erofs-version', '1', 'oci', 'explain', digest, 'all').split('\n');
  };
  assert.deepEqual(explain('whole').slice(-1), [
    '* mtime: that image is of a copy of the tree that has lost the nanoseconds',
  ]);
  assert.deepEqual(explain('first').slice(-2), [
    '* layers: that image is of the first 1 of 2 layers; the others change 1 paths:',
    '    /usr/b (added)',
  ]);
});

test('oci explain says which rule it is, or what differs', () => {
  const usual = repository.ok('oci', 'compute-id', 'one');
  assert.match(repository.ok('oci', 'explain', usual, 'one'), /^The image has this digest, by the usual rules /);
  const other = repository.ok('--erofs-version', '1', 'oci', 'compute-id', 'one');
  const lines = repository.ok('oci', 'explain', `sha512:${other}`, 'one').split('\n');
  assert.deepEqual(lines.slice(0, 3), [
    'The image has this digest if one rule is another:',
    '* format V1 (--erofs-version 1)',
    '  a plain image',
  ]);
  assert.deepEqual(repository.json('oci', 'explain', '--json', other, 'one'), {
    kind: 'rules',
    rules: {
      format: 1,
      kind: 'plain',
      xattrs: 'allowlist-only',
      algorithm: 'sha512',
      labels: 'policy',
      mtimes: 'standard',
      layer_rules: 'oci',
      missing_layers: 0,
    },
    differing: ['format'],
  });
  const nothing = repository.run('oci', 'explain', '0'.repeat(128), 'one');
  assert.equal(nothing.status, 1);
  assert.match(nothing.stdout, /^No rules give the image this digest; 18 combinations were tried/);
  assert.deepEqual(repository.ok('oci', 'explain', 'two', 'one').split('\n').sort(), [
    'added /usr/gone',
    'content: /etc/conf',
    'mode with 0044: /etc/secret',
    'owner 5:0 -> 0:0: /etc/secret',
    'removed /usr/lib',
    'renamed from /usr/lib/new: /usr/old',
    'target: /etc/link',
    'time: /etc/conf',
  ]);
  const { manifest_digest: two } = (
    repository.json('oci', 'images', '--json') as { images: { name: string; manifest_digest: string }[] }
  ).images.find(({ name }) => name === 'two') ?? { manifest_digest: '' };
  assert.equal(repository.ok('oci', 'explain', two, 'one'), repository.ok('oci', 'explain', 'two', 'one'));
  assert.match(repository.ok('oci', 'explain', 'again', 'one'), /^The files are the same/);
  const trouble = repository.run('oci', 'explain', usual, 'sbom');
  assert.equal(trouble.status, 2);
  assert.match(trouble.stderr, /is an artifact of type text\/spdx\+json, which has no file system/);
});
