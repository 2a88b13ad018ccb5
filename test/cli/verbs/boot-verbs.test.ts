import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Repository } from '../../../src/composefs/repository/index.js';
import { umount2 } from '../../../src/linux/mount-api.js';
import { generateBootImage } from '../../../src/oci/boot/boot-images.js';
import { parseOciDigest } from '../../../src/oci/model/digest.js';
import { bootableImage } from '../../support/boot-images.js';
import { cfsctl, type TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { LayoutBuilder, spdxArtifact, type TestImage } from '../../support/oci-fixtures.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const SHA256 = ['--algorithm', 'fsverity-sha256-12', '--erofs-version', '1'];

/** A root that can be booted, as the reference has it in its own numbers below. */
function bootableRoot(): string {
  const root = fixtures.path('root');
  for (const directory of ['usr/bin', 'boot/loader', 'sysroot', 'etc/selinux/targeted/contexts/files']) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  writeFileSync(join(root, 'usr/bin/tool'), 'x'.repeat(100));
  writeFileSync(join(root, 'boot/loader/note'), 'emptied');
  writeFileSync(join(root, 'etc/selinux/config'), 'SELINUXTYPE=targeted\n');
  const contexts = '/.* system_u:object_r:default_t:s0\n/usr/bin(/.*)? -- system_u:object_r:bin_t:s0\n';
  writeFileSync(join(root, 'etc/selinux/targeted/contexts/files/file_contexts'), contexts);
  for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' }))
    utimesSync(join(root, entry), 1000, 1000);
  utimesSync(join(root, 'usr'), 2000.5, 2000.5);
  utimesSync(root, 1000, 1000);
  return root;
}

const DUMP = `/ 0 40755 6 0 0 0 2000.500000000 - - - security.selinux=system_u:object_r:default_t:s0`;

test('--bootable labels, and empties /boot and /sysroot, wherever a tree of a directory is made', () => {
  const root = bootableRoot();
  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = cfsctl(args);
    assert.deepEqual([status, stderr], [0, '']);
    return stdout.trimEnd();
  };
  const lines = run('--no-repo', 'create-dumpfile', '--bootable', root).split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    [
      '/',
      '/boot',
      '/etc',
      '/etc/selinux',
      '/etc/selinux/config',
      '/etc/selinux/targeted',
      '/etc/selinux/targeted/contexts',
      '/etc/selinux/targeted/contexts/files',
      '/etc/selinux/targeted/contexts/files/file_contexts',
      '/sysroot',
      '/usr',
      '/usr/bin',
      '/usr/bin/tool',
    ],
  );
  assert.equal(lines[0], DUMP);
  assert.match(lines[1] ?? '', /^\/boot 0 40755 2 0 0 0 2000\.500000000 /);
  assert.match(lines.at(-1) ?? '', / security\.selinux=system_u:object_r:bin_t:s0$/);
  assert.match(run('--no-repo', 'create-dumpfile', root), /\/boot\/loader\/note/);

  for (const hash of ['sha256', 'sha512']) {
    for (const version of ['0', '1', '2']) {
      const globals = ['--hash', hash, '--no-repo', '--erofs-version', version];
      const id = run(...globals, 'compute-id', '--bootable', root);
      assert.notEqual(id, run(...globals, 'compute-id', root));
      const argument = version === '2' ? `composefs=${id}` : `composefs.digest=v1-${hash}-12:${id}`;
      assert.equal(run(...globals, 'compute-karg', root), argument);
      assert.equal(run('--insecure', ...globals, 'compute-karg', root), argument.replace('=', '=?'));
    }
  }
  const asItIs = ['--no-propagate-usr-to-root', root];
  const id = run('--no-repo', 'compute-id', '--bootable', ...asItIs);
  assert.equal(run('--no-repo', 'compute-karg', ...asItIs), `composefs.digest=v1-sha512-12:${id}`);

  const repository = fixtures.repo(...SHA256);
  const stored = repository.ok('create-image', '--bootable', root, 'booted');
  assert.equal(stored, `sha256:${run('--hash', 'sha256', '--no-repo', 'compute-id', '--bootable', root)}`);
});

test('a directory without /boot or /sysroot cannot be made bootable', () => {
  for (const missing of ['boot', 'sysroot', 'usr']) {
    const root = bootableRoot();
    rmSync(join(root, missing), { recursive: true });
    for (const args of [['compute-id', '--bootable'], ['compute-karg'], ['create-dumpfile', '--bootable']]) {
      const { status, stdout, stderr } = cfsctl(['--no-repo', ...args, root]);
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, new RegExp(`^Error: Directory entry "${missing}" does not exist`));
    }
  }
});

const IMAGE = bootableImage({ policy: true });

function pulled(): TestRepository {
  const repository = fixtures.repo(...SHA256);
  repository.ok('oci', 'pull', `oci:${new LayoutBuilder().addImage(IMAGE).write(fixtures.path('layout'))}`, 'app');
  return repository;
}

test('oci compute-id, dump and mount know boot images', async () => {
  const repository = pulled();
  const none = repository.run('oci', 'mount', '--bootable', 'app', fixtures.emptyDirectory());
  assert.equal(none.status, 1);
  assert.match(none.stderr, /^Error: No boot EROFS image linked — try pulling with --bootable\n/);

  const repo = await Repository.open(repository.path, { insecure: true });
  const digest = parseOciDigest(IMAGE.manifest.descriptor.digest);
  const id = await generateBootImage(repo, digest);
  const kept = await generateBootImage(repo, digest, { xattrs: 'keep-user-xattrs' });
  repo.close();
  assert.equal(repository.ok('oci', 'compute-id', '--bootable', 'app'), id);
  assert.equal(repository.ok('oci', 'compute-id', '--bootable', '--xattrs', 'keep-user-xattrs', 'app'), kept);
  assert.notEqual(repository.ok('oci', 'compute-id', 'app'), id);
  const dump = repository.ok('oci', 'dump', '--bootable', `@${IMAGE.config.descriptor.digest}`);
  assert.match(dump, /^\/boot 0 40755 2 0 0 0 1000\.500000000 - - -\n/m);
  const inspection = repository.json('oci', 'inspect', 'app') as Record<string, unknown>;
  assert.equal(inspection['composefs_boot_erofs'], id);

  if (process.getuid?.() !== 0) return;
  const mountPoint = fixtures.emptyDirectory();
  repository.ok('oci', 'mount', '--bootable', '--fuse', 'no', 'app', mountPoint);
  try {
    assert.deepEqual(readdirSync(join(mountPoint, 'boot')), []);
    assert.deepEqual(readdirSync(mountPoint), ['boot', 'etc', 'opt', 'run', 'sysroot', 'usr']);
  } finally {
    umount2(mountPoint, 0);
  }
});

function layout(image: TestImage): string {
  return `oci:${new LayoutBuilder().addImage(image).write(fixtures.path('layout'))}`;
}

test('oci pull --bootable prints the boot image last', () => {
  const repository = fixtures.repo(...SHA256);
  const lines = repository.ok('oci', 'pull', '--bootable', layout(IMAGE), 'app').split('\n');
  const id = repository.ok('oci', 'compute-id', '--bootable', 'app');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['manifest', 'config', 'verity', 'tagged', 'objects', 'Boot'],
  );
  assert.equal(lines.at(-1), `Boot image: ${id}`);
  const json = repository.json('oci', 'pull', '--bootable', '--json', layout(IMAGE), 'app') as Record<string, unknown>;
  assert.equal(json['boot_image'], id);
  const plain = repository.json('oci', 'pull', '--json', layout(IMAGE), 'app') as Record<string, unknown>;
  assert.equal('boot_image' in plain, false);
  const quiet = repository.ok('oci', 'pull', '--bootable', '--quiet', layout(IMAGE), 'app');
  assert.equal(quiet, IMAGE.manifest.descriptor.digest);
});

test('oci pull --expected-digest looks for mode and format', () => {
  const repository = fixtures.repo(...SHA256);
  repository.ok('oci', 'pull', layout(IMAGE), 'app');
  const pull = ['oci', 'pull', '--bootable', layout(IMAGE), 'app', '--expected-digest'];
  for (const [version, mode] of [
    ['1', 'allowlist-only'],
    ['2', 'keep-user-xattrs'],
  ] as const) {
    const id = repository.ok('--erofs-version', version, 'oci', 'compute-id', '--bootable', '--xattrs', mode, 'app');
    const line = repository
      .ok(...pull, id.toUpperCase())
      .split('\n')
      .at(-1);
    assert.equal(line, `Boot image: ${id} (xattr-mode=${mode}, format-version=V${version})`);
    const json = repository.json(...pull, id, '--json') as Record<string, unknown>;
    assert.deepEqual(
      [json['boot_image'], json['boot_image_mode'], json['boot_image_format_version']],
      [id, mode, `V${version}`],
    );
  }
  const absent = '0'.repeat(64);
  const none = repository.run(...pull, absent);
  assert.equal(none.status, 1);
  assert.equal(none.stdout.trimEnd().split('\n').length, 5);
  const message = `No boot image configuration matched expected digest ${absent} (tried 4 mode/version combinations)`;
  assert.equal(none.stderr.split('\n')[0], `Error: ${message}`);
  for (const bad of ['zz', 'abc', '0'.repeat(128)]) {
    const { status, stdout, stderr } = repository.run(...pull, bad);
    assert.deepEqual([status, stdout, stderr.split('\n')[0]], [1, '', 'Error: Parsing --expected-digest']);
  }
});

test('oci pull --bootable of what cannot be booted prints nothing and leaves no tag; an artifact is stored', () => {
  const repository = fixtures.repo(...SHA256);
  const refused = repository.run('oci', 'pull', '--bootable', layout(bootableImage({ without: ['boot'] })), 'app');
  assert.deepEqual([refused.status, refused.stdout], [1, '']);
  assert.match(refused.stderr, /^Error: Directory entry "boot" does not exist\n/);
  assert.equal(repository.ok('oci', 'images'), 'No images found');
  const artifact = repository.run('oci', 'pull', '--bootable', layout(spdxArtifact()), 'sbom');
  assert.equal(artifact.status, 1);
  assert.match(artifact.stdout, /^tagged {3}sbom$/m);
  assert.match(artifact.stderr, /^Error: no boot image was linked: not a container image\n/);
  assert.match(repository.ok('oci', 'images'), /sbom/);
});
