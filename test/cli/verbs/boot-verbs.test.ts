import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Repository } from '../../../src/composefs/repository/index.js';
import { umount2 } from '../../../src/linux/mount-api.js';
import { generateBootImage } from '../../../src/oci/boot/boot-images.js';
import { parseOciDigest } from '../../../src/oci/model/digest.js';
import { bootableImage, KVER } from '../../support/boot-images.js';
import { cfsctl, TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { filesBelow } from '../../support/files-below.js';
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

/** A repository in a directory of its own, beside which the state goes, and a boot partition. */
function machine(image: TestImage = IMAGE): { repository: TestRepository; boot: string; state: string } {
  const parent = fixtures.emptyDirectory();
  const repository = TestRepository.create(parent, ...SHA256);
  repository.ok('oci', 'pull', layout(image), 'app');
  const boot = join(parent, 'boot');
  mkdirSync(boot);
  return { repository, boot, state: join(parent, 'state') };
}

test('oci prepare-boot prints nothing; --dry-run and --json say what', () => {
  const { repository, boot, state } = machine();
  const prepare = ['oci', 'prepare-boot', 'app', '--bootdir', boot];
  const id = repository.ok('oci', 'compute-id', '--bootable', 'app');
  const argument = `composefs.digest=?v1-sha256-12:${id}`;
  const deploy = join(state, 'deploy', id);
  assert.equal(
    repository.ok(...prepare, '--dry-run', '--entry-id', 'x', '--cmdline', 'quiet'),
    `argument ${argument}
make     ${deploy}/var
make     ${deploy}/etc/upper
make     ${deploy}/etc/work
write    ${boot}/x/vmlinuz (5000 bytes)
write    ${boot}/x/initramfs.img (7000 bytes)
write    ${boot}/loader/entries/x.conf (207 bytes)
         # File created by composefs
         title todoOS
         version 0-todo
         linux /x/vmlinuz
         initrd /x/initramfs.img
         options ${argument} quiet`,
  );
  assert.deepEqual([filesBelow(boot), existsSync(state)], [[], false]);
  assert.equal(repository.ok(...prepare), '');
  assert.deepEqual(filesBelow(boot), [`${KVER}/initramfs.img`, `${KVER}/vmlinuz`, `loader/entries/${KVER}.conf`]);
  assert.deepEqual(readdirSync(deploy).sort(), ['etc', 'var']);
  const json = repository.json(...prepare, '--json') as Record<string, unknown>;
  assert.deepEqual([json['image'], json['argument'], json['entry']], [id, argument, `loader/entries/${KVER}.conf`]);
  // The image stays: it is linked now.
  repository.ok('gc');
  assert.equal((repository.json('oci', 'inspect', 'app') as Record<string, unknown>)['composefs_boot_erofs'], id);
});

test('oci prepare-boot takes the digest of a config, with and without its verity', () => {
  const { repository, boot } = machine();
  const config = IMAGE.config.descriptor.digest;
  const verityOf = (): string => {
    const target = readlinkSync(join(repository.path, 'streams', `oci-config-${config}`));
    return target.split('/').slice(-2).join('');
  };
  const before = verityOf();
  repository.ok('oci', 'prepare-boot', `@${config}`, '--bootdir', boot);
  // The config's stream links the boot image now.
  const verity = verityOf();
  repository.ok('oci', 'prepare-boot', `@${config}`, verity, '--bootdir', boot);
  const stale = repository.run('oci', 'prepare-boot', `@${config}`, before, '--bootdir', boot);
  assert.equal(stale.status, 1);
  assert.match(stale.stderr, new RegExp(`^hint: the stream of the config is ${verity} now`, 'm'));
  assert.equal(filesBelow(boot).length, 3);
  repository.ok('oci', 'prepare-boot', `@${IMAGE.manifest.descriptor.digest}`, '--bootdir', boot);
  assert.equal(filesBelow(boot).length, 3);
  const wrong = repository.run('oci', 'prepare-boot', `@${config}`, '0'.repeat(64), '--bootdir', boot);
  assert.equal(wrong.status, 1);
  assert.equal(
    repository.run('oci', 'prepare-boot', 'none', '--bootdir', boot).stderr.split('\n')[0],
    'Error: OCI reference not found: none',
  );
});

test('boot prune removes entries of images that are gone, and no others', () => {
  const { repository, boot } = machine();
  const prune = ['boot', 'prune', '--bootdir', boot];
  repository.ok('oci', 'prepare-boot', 'app', '--bootdir', boot, '--entry-id', 'one');
  assert.equal(repository.ok(...prune), 'No boot entries to remove');
  mkdirSync(join(boot, 'loader/entries'), { recursive: true });
  writeFileSync(join(boot, 'loader/entries/other.conf'), 'title other\nlinux /other\n');
  // Another image takes the place of the first one, which is kept for its entry.
  repository.ok('oci', 'pull', layout(bootableImage()), 'app');
  repository.ok('gc');
  assert.equal(repository.ok(...prune), 'No boot entries to remove');
  rmSync(join(repository.path, 'images/refs/boot/one.conf'));
  repository.ok('gc');
  const refused = repository.run(...prune);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^Error: none of the images of the 1 boot entry on .* is in the repository /);
  const removed = ['loader/entries/one.conf', 'one/vmlinuz', 'one/initramfs.img'].map(
    (name) => `remove   ${boot}/${name}`,
  );
  const dry = repository.ok(
    'oci',
    'prepare-boot',
    'app',
    '--bootdir',
    boot,
    '--entry-id',
    'two',
    '--dry-run',
    '--prune',
  );
  assert.equal(dry.split('\n').at(-1), removed[0]);
  repository.ok('oci', 'prepare-boot', 'app', '--bootdir', boot, '--entry-id', 'two');
  assert.deepEqual(
    repository
      .ok(...prune, '--dry-run')
      .split('\n')
      .sort(),
    removed.sort(),
  );
  assert.equal(filesBelow(boot).length, 7);
  assert.deepEqual(
    repository
      .ok(...prune)
      .split('\n')
      .sort(),
    removed.sort(),
  );
  assert.deepEqual(filesBelow(boot), [
    'loader/entries/other.conf',
    'loader/entries/two.conf',
    'two/initramfs.img',
    'two/vmlinuz',
  ]);

  repository.ok('oci', 'untag', 'app');
  repository.ok('gc');
  assert.equal(repository.ok(...prune), 'No boot entries to remove');
  const remove = (name: string) => ['boot', 'remove', name, '--bootdir', boot];
  const other = repository.run(...remove('other'));
  assert.equal(other.stderr, `Error: no boot entry "other" on ${boot}\n\nhint: there are: two.conf\n`);
  assert.equal(
    repository.ok(...remove('two')),
    ['loader/entries/two.conf', 'two/vmlinuz', 'two/initramfs.img']
      .map((name) => `remove   ${boot}/${name}`)
      .join('\n'),
  );
  assert.deepEqual(filesBelow(boot), ['loader/entries/other.conf']);
  assert.equal(repository.ok('images'), 'No images found');
});

test('boot prune forgets entries that somebody else has removed', () => {
  const { repository, boot } = machine();
  const prune = ['boot', 'prune', '--bootdir', boot];
  for (const id of ['one', 'two']) repository.ok('oci', 'prepare-boot', 'app', '--bootdir', boot, '--entry-id', id);
  rmSync(join(boot, 'loader/entries/one.conf'));
  assert.equal(repository.ok(...prune, '--dry-run'), 'release  images/refs/boot/one.conf');
  assert.equal(repository.ok(...prune), 'release  images/refs/boot/one.conf');
  rmSync(join(boot, 'loader/entries/two.conf'));
  const refused = repository.run(...prune);
  assert.equal(
    refused.stderr.split('\n')[0],
    `Error: no boot entry on ${boot} names an image, and the repository keeps 1 for entries`,
  );
  assert.equal(repository.ok(...prune, '--force'), 'release  images/refs/boot/two.conf');
});

test('boot check says whether an image can boot', () => {
  const { repository } = machine();
  const id = repository.ok('oci', 'compute-id', '--bootable', 'app');
  const argument = `composefs.digest=?v1-sha256-12:${id}`;
  assert.equal(
    repository.ok('boot', 'check', 'app'),
    `boots    kernel "${KVER}"\nimage    ${id} (not made yet)\nargument ${argument}\nstatus: can boot`,
  );
  const kept = repository.ok('oci', 'compute-id', '--bootable', '--xattrs', 'keep-user-xattrs', 'app');
  const other = repository.run('boot', 'check', `@${IMAGE.manifest.descriptor.digest}`, '--expected-digest', kept);
  assert.equal(other.status, 1);
  assert.match(
    other.stdout,
    new RegExp(`\nproblem: expected is the image ${kept}, and the boot image is ${id}
what differs:
  xattr mode: that image is of the mode keep-user-xattrs
status: 1 problem\n$`),
  );
  assert.match(other.stderr, /^Error: a machine cannot boot from the image\n/);
  assert.deepEqual(repository.json('boot', 'check', 'app', '--expected-digest', kept, '--json'), {
    can_boot: false,
    problems: [
      { code: 'WRONG_DIGEST', message: `expected is the image ${kept}, and the boot image is ${id}`, hint: null },
    ],
    entry: `kernel "${KVER}"`,
    entries: [`kernel "${KVER}"`],
    image: id,
    is_linked: false,
    argument,
    expected: kept,
    what_differs: ['xattr mode: that image is of the mode keep-user-xattrs'],
  });
  const bare = machine(bootableImage({ without: ['sysroot'] })).repository.run('boot', 'check', 'app');
  assert.match(bare.stdout, /^problem: there is no \/sysroot\n {2}hint: make a directory \/sysroot in the image: /m);
});
