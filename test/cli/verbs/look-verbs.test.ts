import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { cfsctlBytes, type TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { buildImage, LayoutBuilder, spdxArtifact } from '../../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile, tarHardlink, tarSymlink } from '../../support/tar-builder.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const BIG = Buffer.alloc(5000, 'big ');
const BIG_ID = computeVerity('sha512', BIG);

let repository: TestRepository;
let manifest = '';
let config = '';

before(() => {
  const image = buildImage([
    tarArchive([
      tarDirectory('usr/', { mtime: 1_000_000_000 }),
      tarDirectory('usr/lib/', { mtime: 1_000_000_000 }),
      tarFile('usr/lib/os-release', 'ID=app\n', { mtime: 1_234_567_890 }),
      tarFile('usr/lib/big.so', BIG, { mtime: 1_234_567_890, mode: 0o4755 }),
      tarDirectory('etc/', { mtime: 1_000_000_000 }),
      tarSymlink('etc/os-release', '../usr/lib/os-release', { mtime: 1_000_000_000 }),
    ]),
  ]);
  manifest = image.manifest.descriptor.digest;
  config = JSON.parse(image.manifest.bytes.toString()).config.digest;
  const layout = fixtures.path('layout');
  new LayoutBuilder().addImage(image, { tag: 'app' }).addImage(spdxArtifact(), { tag: 'sbom' }).write(layout);
  repository = fixtures.repo();
  repository.ok('oci', 'pull', `oci:${layout}:app`, 'app');
  repository.ok('oci', 'pull', `oci:${layout}:sbom`, 'sbom');
  repository.ok('oci', 'pull', `oci:${fixtures.oci()}`, 'other');
});

test('oci ls lists names, long lines, whole paths and JSON', () => {
  assert.equal(repository.ok('oci', 'ls', 'app'), 'etc\nusr');
  assert.equal(repository.ok('oci', 'ls', 'app', '/usr/lib'), 'big.so\nos-release');
  assert.equal(repository.ok('oci', 'ls', 'app', 'etc/os-release'), 'etc/os-release');
  assert.equal(
    repository.ok('oci', 'ls', '-R', 'app'),
    '/etc\n/etc/os-release\n/usr\n/usr/lib\n/usr/lib/big.so\n/usr/lib/os-release',
  );
  assert.equal(
    repository.ok('oci', 'ls', '-l', 'app', '/usr/lib'),
    '-rwsr-xr-x 1 0 0 5000 2009-02-13 23:31 big.so\n-rw-r--r-- 1 0 0    7 2009-02-13 23:31 os-release',
  );
  assert.equal(
    repository.ok('oci', 'ls', '-l', 'app', '/etc'),
    'lrwxrwxrwx 1 0 0 21 2001-09-09 01:46 os-release -> ../usr/lib/os-release',
  );
  assert.deepEqual(repository.json('oci', 'ls', '--json', 'app', '/usr/lib/big.so'), [
    {
      path: '/usr/lib/big.so',
      type: 'file',
      mode: '4755',
      uid: 0,
      gid: 0,
      nlink: 1,
      size: 5000,
      mtime: '1234567890.000000000',
      object: BIG_ID,
    },
  ]);
});

test('an image is named by its tag, by its digests, and by the beginning of one', () => {
  const names = [manifest, `@${manifest}`, `anything@${manifest}`, config, `@${config}`, manifest.slice(7, 15)];
  for (const name of [...names, config.slice(7, 19), manifest.slice(0, 19)]) {
    assert.equal(repository.ok('oci', 'ls', name), 'etc\nusr', name);
  }
  assert.match(
    repository.run('oci', 'ls', `sha256:${'0'.repeat(64)}`).stderr,
    /^Error: OCI image not found: sha256:0{64}\n\nhint: list the tags of the repository/,
  );
  for (const name of ['nothing', manifest.slice(7, 14), 'a'.repeat(300), '..']) {
    const { status, stderr } = repository.run('oci', 'ls', name);
    assert.equal(status, 1);
    assert.match(stderr, /^Error: OCI reference not found: .*\n\nhint: list the tags of the repository/);
  }
});

test('a beginning that several images have is refused, with the images', () => {
  const several = fixtures.pulled();
  const digests = ['0', '1'].map((digit) => `sha256:${'a'.repeat(8)}${digit.repeat(56)}`);
  for (const digest of digests) symlinkSync('../objects/00/none', join(several.path, `streams/oci-manifest-${digest}`));
  assert.equal(
    several.run('oci', 'ls', 'aaaaaaaa').stderr,
    `Error: aaaaaaaa could be 2 images: ${digests.join(', ')}\n\n` +
      'hint: give more digits, or a tag; list the tags of the repository with `cfsctl oci images`\n',
  );
  // That one is no manifest; what matters is that the other is not in its way.
  assert.equal(several.run('oci', 'ls', 'aaaaaaaa1').status, 1);
  assert.doesNotMatch(several.run('oci', 'ls', 'aaaaaaaa1').stderr, /could be/);
});

test('oci cat writes files as they are', () => {
  const { stdout } = cfsctlBytes(['--repo', repository.path, 'oci', 'cat', 'app', '/usr/lib/big.so', 'etc/os-release']);
  assert.deepEqual(stdout, Buffer.concat([BIG, Buffer.from('ID=app\n')]));
  assert.deepEqual(repository.run('oci', 'cat', 'app', '/usr'), {
    status: 1,
    stdout: '',
    stderr: 'Error: /usr in app is a directory\n\nhint: `cfsctl oci ls` lists it, `cfsctl oci extract` copies it out\n',
  });
});

test('oci extract writes to a new name, or into a directory', () => {
  const folder = fixtures.emptyDirectory();
  const out = join(folder, 'out');
  assert.equal(repository.ok('oci', 'extract', 'app', '/', out), `Extracted 7 entries, 5007 bytes, to ${out}`);
  assert.deepEqual(readFileSync(join(out, 'usr/lib/big.so')), BIG);
  assert.equal(readFileSync(join(out, 'etc/os-release'), 'utf8'), 'ID=app\n');
  mkdirSync(join(folder, 'into'));
  repository.ok('oci', 'extract', 'app', '/usr/lib/', join(folder, 'into'));
  assert.deepEqual(readdirSync(join(folder, 'into/lib')), ['big.so', 'os-release']);
  assert.deepEqual(repository.json('oci', 'extract', '--json', 'app', 'etc/os-release', join(folder, 'link')), {
    destination: join(folder, 'link'),
    entries: 1,
    bytes: 0,
    skipped_xattrs: 0,
    skipped_devices: 0,
  });
  assert.match(
    repository.run('oci', 'extract', 'app', '/usr/lib', join(folder, 'into')).stderr,
    /lib exists already\n\nhint: nothing is replaced: name what is not there yet\n$/,
  );
  assert.match(repository.run('oci', 'extract', 'app', '/', folder).stderr, /^Error: the root of an image has no name/);
  assert.match(
    repository.run('oci', 'extract', 'app', '/none', join(folder, 'no')).stderr,
    /^Error: \/none is not in app\n/,
  );
  assert.equal(existsSync(join(folder, 'no')), false);
});

test('oci find --layers shows which layers have a file, and in which images those are', () => {
  const base = tarArchive([tarDirectory('etc/'), tarFile('etc/passwd', 'root\n'), tarFile('etc/big', BIG)]);
  const upper = tarArchive([
    tarFile('etc/passwd', 'root\nann\n'),
    tarFile('etc/.wh.big', ''),
    tarFile('etc/first', BIG),
    tarHardlink('etc/second', 'etc/first'),
  ]);
  const [one, two] = [buildImage([base]), buildImage([base, upper])];
  const layout = fixtures.path('layers');
  new LayoutBuilder().addImage(one, { tag: 'one' }).addImage(two, { tag: 'two' }).write(layout);
  const store = fixtures.repo();
  for (const tag of ['one', 'two']) store.ok('oci', 'pull', `oci:${layout}:${tag}`, tag);
  const [low, high] = two.diffIds.map((diffId) => diffId.slice(7, 19));
  assert.equal(
    store.ok('oci', 'find', '--layers', '--path', '/etc/passwd'),
    `${low}  /etc/passwd  (one #1, two #1)\n${high}  /etc/passwd  (two #2)`,
  );
  assert.equal(
    store.ok('oci', 'find', '--layers', '--digest', BIG_ID.slice(0, 12)),
    `${low}  /etc/big  (one #1, two #1)\n${high}  /etc/first  (two #2)\n${high}  /etc/second  (two #2)`,
  );
  assert.equal(store.ok('oci', 'find', 'two', '--layer', '2', '--path', '.wh.*'), `${high}  /etc/.wh.big  (two #2)`);
  assert.equal(store.ok('oci', 'find', '--layer', `${high}`, '--path', 'first'), `${high}  /etc/first  (two #2)`);
  assert.deepEqual(store.json('oci', 'find', 'two', '--layer', '1', '--json', '--path', 'big'), [
    { layer: two.diffIds[0], images: [{ image: 'two', layer: 1 }], path: '/etc/big', size: 5000, object: BIG_ID },
  ]);
  const missing = store.run('oci', 'find', 'one', '--layer', '2', '--path', 'x');
  assert.deepEqual(
    [missing.status, missing.stderr.split('\n')[0]],
    [1, 'Error: The image has 1 layer, and none that is 2'],
  );
  assert.equal(store.run('oci', 'find', '--layers', '--path', 'none').status, 1);
  assert.equal(store.run('oci', 'find', '--layers', '--layer', '1', '--path', 'none').status, 2);
});

test('oci find passes over no image that has what a glob or digits want', () => {
  const globs = [
    '[b]ig.so',
    'b?g.so',
    '{big,small}.so',
    '*',
    'big.so',
    '!(x)',
    '/usr/lib/big.so',
    '**/lib/big*',
    '+(b)ig.so',
  ];
  for (const glob of globs) {
    assert.ok(repository.ok('oci', 'find', '--path', glob).split('\n').includes('app  /usr/lib/big.so'), glob);
  }
  for (const length of [8, 9, 10, 63, 127, 128]) {
    assert.equal(repository.ok('oci', 'find', '--digest', BIG_ID.slice(0, length)), 'app  /usr/lib/big.so');
  }
  assert.equal(repository.run('oci', 'find', '--digest', `${BIG_ID}0`).status, 1);
});

test('oci find shows which images have a file', () => {
  assert.equal(repository.ok('oci', 'find', '--path', '*.so'), 'app  /usr/lib/big.so');
  assert.equal(repository.ok('oci', 'find', '--path', 'usr/**/os-*'), 'app  /usr/lib/os-release');
  assert.equal(repository.ok('oci', 'find', '--digest', BIG_ID.slice(0, 8)), 'app  /usr/lib/big.so');
  assert.equal(repository.ok('oci', 'find', '--path', 'usr'), 'app  /usr\nother  /usr');
  assert.deepEqual(repository.json('oci', 'find', '--json', '--path', '*.so', 'app'), [
    { image: 'app', path: '/usr/lib/big.so', size: 5000, object: BIG_ID },
  ]);
  assert.deepEqual(repository.run('oci', 'find', '--path', '*.so', 'other'), { status: 1, stdout: '', stderr: '' });
  assert.match(repository.run('oci', 'find').stderr, /^error: nothing to look for\n\n {2}tip: give '--path <GLOB>'/);
  assert.equal(repository.run('oci', 'find', '--digest', 'XYZ').status, 2);
});

test('an artifact is said to be one, and what it is', () => {
  const { digest } = spdxArtifact().manifest.descriptor;
  const content = `oci-layer-${spdxArtifact().layers[0]?.descriptor.digest}`;
  const error = (limit: string): string =>
    `Error: ${digest} is an artifact of type text/spdx+json, which ${limit}\n\n` +
    `hint: \`cfsctl oci inspect ${digest}\` shows its manifest, \`cfsctl cat ${content}\` prints its content\n`;
  for (const words of [
    ['oci', 'ls', 'sbom'],
    ['oci', 'dump', 'sbom'],
    ['oci', 'compute-id', 'sbom'],
    ['oci', 'mount', 'sbom', '/'],
    ['mount', 'sbom', '/'],
    ['oci', 'export', 'sbom', 'tar:-'],
    ['oci', 'prepare-boot', 'sbom'],
    ['dump-files', 'sbom', '/'],
    ['image-objects', 'sbom'],
  ]) {
    const { status, stderr } = repository.run(...words);
    assert.deepEqual([status, stderr], [1, error('has no file system')], words.join(' '));
  }
  assert.equal(repository.run('oci', 'history', 'sbom').stderr, error('has no history'));
  assert.equal(repository.run('oci', 'ls', '--layer', '1', 'sbom').stderr, error('has no layers with files'));
  const archive = repository.run('oci', 'export', 'sbom', 'docker-archive:/nowhere/at/all');
  assert.equal(archive.stderr, error('a Docker archive cannot hold'));
  const inspection = repository.json('oci', 'inspect', 'sbom') as Record<string, unknown>;
  assert.equal(inspection['artifact_type'], 'text/spdx+json');
  assert.equal(repository.ok('cat', content), spdxArtifact().layers[0]?.bytes.toString());
});

test('one layer can be looked at, with its whiteouts and what it links to below', () => {
  const layers = buildImage([
    tarArchive([tarDirectory('usr/'), tarFile('usr/a', 'one'), tarFile('usr/b', BIG)]),
    tarArchive([
      tarDirectory('usr/'),
      tarFile('usr/.wh.a', ''),
      tarFile('usr/c', 'two'),
      tarHardlink('usr/d', 'usr/b'),
    ]),
  ]);
  const layout = fixtures.path('layout');
  new LayoutBuilder().addImage(layers, { tag: 'two' }).write(layout);
  repository.ok('oci', 'pull', `oci:${layout}:two`, 'two');
  assert.equal(repository.ok('oci', 'ls', 'two', '/usr'), 'b\nc\nd');
  assert.equal(repository.ok('oci', 'ls', '--layer', '1', 'two', '/usr'), 'a\nb');
  assert.equal(repository.ok('oci', 'ls', '--layer', '2', 'two', '/usr'), '.wh.a\nc\nd');
  assert.match(repository.ok('oci', 'ls', '-l', '--layer', '2', 'two', '/usr'), / d -> \/usr\/b$/);
  const [, upper = ''] = layers.diffIds;
  assert.equal(repository.ok('oci', 'cat', '--layer', upper.slice(7, 15), 'two', '/usr/c'), 'two');
  const out = join(fixtures.emptyDirectory(), 'out');
  repository.ok('oci', 'extract', '--layer', '1', 'two', '/usr', out);
  assert.deepEqual(readFileSync(join(out, 'b')), BIG);
  assert.equal(
    repository.run('oci', 'ls', '--layer', '3', 'two').stderr,
    'Error: The image has 2 layers, and none that is 3\n\nhint: `cfsctl oci history` lists them; the lowest is 1\n',
  );
});
