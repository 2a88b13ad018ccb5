import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { setXattr } from '../../../src/linux/xattr.js';
import { cfsctl, expectSuccess, startCfsctl, type TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures, corruptFirstObject } from '../../support/cfsctl-fixtures.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const OBJ_HELLO_512 =
  '18c6776e8d37d2076bd66e7160f2c3cab90ce064dc8cdb1d10954c2c7007fd1e83963da6c78fcfb30783c1a37ff36d7255718324e64f414acfd5cefc1ade05a3';
const OBJ_HELLO_PATH = `${OBJ_HELLO_512.slice(0, 2)}/${OBJ_HELLO_512.slice(2)}`;

function record(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value));
  return { ...value };
}

function metadataText(repository: TestRepository): string {
  return readFileSync(join(repository.path, 'meta.json'), 'utf8');
}

function imageDigest(repository: TestRepository): string {
  return readlinkSync(join(repository.path, 'images/refs/my-image')).split('/').at(-1) ?? '';
}

test('CLI-001 gc of an empty repository', () => {
  assert.equal(fixtures.repo().ok('gc'), 'Objects: 0 removed (0 bytes)');
});

test('CLI-002, CLI-003 create-image prints the id, the same one again', () => {
  const repository = fixtures.repo();
  const rootfs = fixtures.rootfs();
  const id = repository.ok('create-image', rootfs);
  assert.match(id, /^sha512:[0-9a-f]{128}$/);
  assert.equal(repository.ok('create-image', rootfs), id);
});

test('CLI-004 image-objects of a named image', () => {
  assert.equal(fixtures.named().ok('image-objects', 'refs/my-image'), `sha512:${OBJ_HELLO_512}`);
});

test('CLI-005 gc removes an image without a name, and its objects', () => {
  const repository = fixtures.repo();
  const id = repository.ok('create-image', fixtures.rootfs()).slice('sha512:'.length);
  const imageSize = statSync(join(repository.path, 'images', id)).size;
  assert.equal(
    repository.ok('gc'),
    `Objects: 2 removed (${131072 + imageSize} bytes)\nPruned symlinks: 1 images, 0 streams`,
  );
});

test('gc keeps what --root names', () => {
  const repository = fixtures.repo();
  const id = repository.ok('create-image', fixtures.rootfs()).slice('sha512:'.length);
  assert.equal(repository.ok('gc', '-r', 'unknown', '--root', id), 'Objects: 0 removed (0 bytes)');
});

test('CLI-006 gc --dry-run', () => {
  const repository = fixtures.named();
  assert.equal(repository.ok('gc', '--dry-run'), 'Dry run (no files deleted):\nObjects: 0 removed (0 bytes)');
  assert.notEqual(repository.ok('image-objects', 'refs/my-image'), '');
});

test('CLI-020, CLI-021 dump-files --backing-path-only', () => {
  const repository = fixtures.named();
  const output = repository.ok(
    ...['dump-files', 'refs/my-image', '/usr/bin/hello', '/usr/lib/readme.txt', '--backing-path-only'],
  );
  assert.equal(output, `/usr/bin/hello ${OBJ_HELLO_PATH}\n/usr/lib/readme.txt inline`);
  assert.equal(readFileSync(join(repository.path, 'objects', OBJ_HELLO_PATH), 'latin1'), 'x'.repeat(131072));
});

test('dump-files prints lines of files and of directories with all below them, named as they were given', () => {
  const lines = fixtures.named().ok('dump-files', 'my-image', 'usr/lib', '/etc/hostname').split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['usr/lib', 'usr/lib/readme.txt', '/etc/hostname'],
  );
  assert.match(lines[2] ?? '', / integration-test\\n -$/);
});

test('dump-files prints nothing if one file is missing', () => {
  const repository = fixtures.named();
  const cases: readonly (readonly [args: string[], message: string])[] = [
    [['/nope'], '/nope not found'],
    [['/'], 'Invalid filename "/"'],
    [['/usr', '--backing-path-only'], '/usr is a directory'],
  ];
  for (const [args, message] of cases) {
    const result = repository.run('dump-files', 'my-image', '/etc/hostname', ...args);
    assert.deepEqual(result, { status: 1, stdout: '', stderr: `Error: ${message}\n` });
  }
});

test('CLI-022, CLI-024, CLI-025 init, again, and with another configuration', () => {
  const path = fixtures.emptyDirectory();
  const init = ['--insecure', '--repo', path, 'init'];
  const created = expectSuccess(cfsctl(init));
  assert.equal(
    created,
    `Initialized composefs repository at ${path}\n  algorithm: fsverity-sha512-12\n  verity:    not required (insecure)`,
  );
  const metadata = record(JSON.parse(readFileSync(join(path, 'meta.json'), 'utf8')));
  assert.equal(metadata['version'], 1);
  assert.equal(metadata['algorithm'], 'fsverity-sha512-12');
  assert.ok('features' in metadata);

  assert.equal(expectSuccess(cfsctl(init)), `Repository already initialized at ${path}`);

  const conflict = cfsctl([...init, '--algorithm', 'fsverity-sha256-12']);
  assert.equal(conflict.status, 1);
  assert.ok(
    conflict.stderr.startsWith(`Error: Initializing repository at ${path}\n\nCaused by:\n    repository already`),
  );
  assert.ok(
    conflict.stderr.includes(
      'already initialized with different configuration (algorithm: fsverity-sha512-12, erofs_version: V1)',
    ),
  );
});

test('CLI-023, CLI-030 a sha256 repository finds its digest type itself', () => {
  const repository = fixtures.repo('--algorithm', 'fsverity-sha256-12');
  assert.match(metadataText(repository), /"fsverity-sha256-12"/);
  const rootfs = fixtures.rootfs();
  const id = repository.ok('create-image', rootfs);
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.match(fixtures.repo().ok('create-image', rootfs), /^sha512:[0-9a-f]{128}$/);
});

test('CLI-026, CLI-027 --hash asserts the digest type', () => {
  const { path } = fixtures.repo();
  const mismatch = cfsctl(['--insecure', '--hash', 'sha256', '--repo', path, 'gc']);
  assert.deepEqual(mismatch, {
    status: 1,
    stdout: '',
    stderr: 'Error: repository is configured for fsverity-sha512-12 (from meta.json) but --hash sha256 was specified\n',
  });
  const match = cfsctl(['--insecure', '--hash', 'sha512', '--repo', path, 'gc']);
  assert.equal(expectSuccess(match), 'Objects: 0 removed (0 bytes)');
});

test('CLI-028, CLI-046 a directory that is no repository', () => {
  const path = fixtures.emptyDirectory();
  for (const args of [[], ['--hash', 'sha256']]) {
    const { status, stderr } = cfsctl(['--insecure', ...args, '--repo', path, 'gc']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      new RegExp(
        `^Error: no meta.json in ${path}; tried to infer algorithm from objects\\n\\nCaused by:\\n    0: opening objects/`,
      ),
    );
  }
});

test('a directory that is not there', () => {
  const { status, stderr } = cfsctl(['--repo', '/nonexistent/repo', 'gc']);
  assert.equal(status, 1);
  assert.match(stderr, /^Error: opening repository \/nonexistent\/repo\n\nCaused by:\n {4}.*o such file/);
  assert.match(
    stderr,
    /\n\nhint: make a repository there with `cfsctl init`, or name another one: --repo, --user, --system, COMPOSEFS_REPO\n$/,
  );
});

test('CLI-029 init creates the directory and its parents', () => {
  const path = join(fixtures.emptyDirectory(), 'parent/new-repo');
  assert.match(expectSuccess(cfsctl(['--insecure', 'init', path])), /^Initialized /);
  assert.equal(lstatSync(path).mode & 0o777, 0o700);
  assert.ok(existsSync(join(path, 'meta.json')));
});

test('CLI-031 fsck --json of an empty repository', () => {
  assert.deepEqual(fixtures.repo().json('fsck', '--json'), {
    ok: true,
    has_metadata: true,
    objects_checked: 0,
    objects_corrupted: 0,
    streams_checked: 0,
    streams_corrupted: 0,
    images_checked: 0,
    images_corrupted: 0,
    broken_links: 0,
    missing_objects: 0,
    errors: [],
  });
});

test('CLI-032 fsck of a healthy repository', () => {
  const repository = fixtures.named();
  const result = record(repository.json('fsck', '--json'));
  assert.deepEqual([result['ok'], result['objects_checked'], result['objects_corrupted']], [true, 2, 0]);
  assert.equal(record(repository.json('fsck', '--json', '--metadata-only'))['objects_checked'], 0);
  assert.equal(repository.ok('fsck'), 'meta.json: ok\nobjects: 2/2 ok\nstreams: 0/0 ok\nimages: 1/1 ok\nstatus: ok');
});

test('CLI-033, CLI-034 fsck finds a corrupted object; only the human form fails', () => {
  const repository = fixtures.named();
  corruptFirstObject(repository);
  const result = record(repository.json('fsck', '--json'));
  assert.equal(result['ok'], false);
  assert.ok(Number(result['objects_corrupted']) > 0);
  assert.notDeepEqual(result['errors'], []);
  const human = repository.run('fsck');
  assert.equal(human.status, 1);
  assert.match(human.stdout, /\nstatus: \d+ error\(s\)\n {2}- fsck: object-/);
  const hint = 'remove the damaged objects, then pull the images again: it stores what is missing';
  assert.equal(human.stderr, `Error: repository integrity check failed\n\nhint: ${hint}\n`);
});

test('CLI-038, CLI-039 compute-id without a repository', () => {
  const rootfs = fixtures.rootfs();
  const args = ['compute-id', '--no-propagate-usr-to-root', rootfs];
  const id = expectSuccess(cfsctl(['--no-repo', ...args]));
  assert.match(id, /^[0-9a-f]{128}$/);
  assert.equal(expectSuccess(cfsctl(['--insecure', '--repo', fixtures.emptyDirectory(), ...args])), id);
});

test('CLI-040 compute-id keeps user xattrs only if told so', (context) => {
  const rootfs = fixtures.rootfs();
  const args = ['--no-repo', 'compute-id', rootfs];
  const before = expectSuccess(cfsctl(args));
  const bytes = byteStringFromText;
  try {
    setXattr(join(rootfs, 'usr/lib/readme.txt'), bytes('user.testxattr'), bytes('testvalue'));
  } catch (error) {
    return context.skip(`no user xattrs here: ${String(error)}`);
  }
  assert.equal(expectSuccess(cfsctl(args)), before);
  assert.notEqual(expectSuccess(cfsctl([...args, '--xattrs', 'keep-user-xattrs'])), before);
});

test('CLI-041 create-dumpfile without a repository', () => {
  const args = ['--no-repo', 'create-dumpfile', '--no-propagate-usr-to-root', fixtures.rootfs()];
  const lines = expectSuccess(cfsctl(args)).split('\n');
  assert.ok(lines.some((line) => line.startsWith('/etc/hostname 17 ')));
  const hello = lines.find((line) => line.startsWith('/usr/bin/hello 131072 '));
  assert.ok(hello?.endsWith(` ${OBJ_HELLO_PATH} - ${OBJ_HELLO_512}`), hello);
});

test('CLI-042 --no-repo with a command that needs one', () => {
  const args = ['--no-repo', 'create-image', '--no-propagate-usr-to-root', fixtures.rootfs()];
  assert.deepEqual(cfsctl(args), {
    status: 1,
    stdout: '',
    stderr: 'Error: --no-repo is only supported for compute-id and create-dumpfile\n',
  });
});

test('CLI-043 fsck finds a broken image reference', () => {
  const repository = fixtures.named();
  unlinkSync(join(repository.path, 'images', imageDigest(repository)));
  const result = record(repository.json('fsck', '--json'));
  assert.equal(result['ok'], false);
  assert.ok(Number(result['broken_links']) > 0);
});

test('CLI-044, CLI-045 an insecure repository stays so; --require-verity refuses it', () => {
  const path = fixtures.emptyDirectory();
  const created = expectSuccess(cfsctl(['--repo', path, 'init', '--insecure']));
  assert.equal(created.split('\n')[2], '  verity:    not required (insecure)');
  expectSuccess(cfsctl(['--repo', path, 'create-image', fixtures.rootfs()]));
  assert.match(expectSuccess(cfsctl(['--repo', path, 'gc'])), /^Objects:/);
  const refused = cfsctl(['--require-verity', '--repo', path, 'gc']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^Error: repository was not initialized with fs-verity/);
});

test('CLI-047 an old-format repository without objects', () => {
  const path = fixtures.emptyDirectory();
  mkdirSync(join(path, 'objects'));
  const { status, stderr } = cfsctl(['--repo', path, 'gc']);
  assert.equal(status, 1);
  assert.ok(stderr.includes('no objects found in repository — cannot infer metadata'));
  const noUpgrade = cfsctl(['--no-upgrade', '--repo', path, 'gc']);
  assert.equal(
    noUpgrade.stderr.split('\n')[0],
    `Error: meta.json not found in ${path}; this repository must be initialized with \`cfsctl init\``,
  );
});

test('an old-format repository is upgraded, unless that is forbidden', () => {
  const repository = fixtures.named();
  unlinkSync(join(repository.path, 'meta.json'));
  assert.equal(repository.run('--no-upgrade', 'gc').status, 1);
  assert.ok(!existsSync(join(repository.path, 'meta.json')));
  assert.equal(repository.ok('gc', '--dry-run').split('\n')[1], 'Objects: 0 removed (0 bytes)');
  assert.match(metadataText(repository), /fsverity-sha512-12/);
});

test('CLI-048 init --reset-metadata keeps the objects', () => {
  const repository = fixtures.repo();
  repository.ok('create-image', fixtures.rootfs());
  assert.match(repository.ok('init', '--insecure', '--reset-metadata'), /^Initialized /);
  assert.deepEqual(readdirSync(repository.path).sort(), ['meta.json', 'objects']);
  assert.match(repository.ok('gc'), /^Objects: 2 removed/);
});

test('CLI-049 init --reset-metadata changes the algorithm', () => {
  const repository = fixtures.repo('--algorithm', 'fsverity-sha256-12');
  const args = ['init', '--insecure', '--algorithm', 'fsverity-sha512-12'];
  assert.equal(repository.run(...args).status, 1);
  assert.match(repository.ok(...args, '--reset-metadata'), /^Initialized /);
});

test('CLI-054 compute-id makes format 1 unless told otherwise', () => {
  const args = ['compute-id', '--no-propagate-usr-to-root', fixtures.rootfs()];
  const [v1, v2, none] = [['--erofs-version', '1'], ['--erofs-version', '2'], []].map((version) =>
    expectSuccess(cfsctl(['--no-repo', ...version, ...args])),
  );
  assert.notEqual(v1, v2);
  assert.equal(none, v1);
});

test("CLI-055, CLI-056 create-image makes the repository's format unless told otherwise", () => {
  const repository = fixtures.repo();
  const rootfs = fixtures.rootfs();
  const create = (...globals: readonly string[]): string => repository.ok(...globals, 'create-image', rootfs);
  const v1 = create('--erofs-version', '1');
  const v2 = create('--erofs-version', '2');
  assert.notEqual(v1, v2);
  assert.equal(create(), v2);
  assert.equal(create('--erofs-version', '1'), v1);
});

test('CLI-057 a V1 repository makes V1 images', () => {
  const repository = fixtures.repo('--erofs-version', '1');
  assert.match(metadataText(repository), /"v1_erofs"/);
  const rootfs = fixtures.rootfs();
  const create = (...globals: readonly string[]): string => repository.ok(...globals, 'create-image', rootfs);
  const none = create();
  assert.equal(create('--erofs-version', '1'), none);
  assert.notEqual(create('--erofs-version', '2'), none);
});

test('CLI-064 images: none, table, whole digests, JSON', () => {
  assert.equal(fixtures.repo().ok('images'), 'No images found');
  assert.equal(fixtures.repo().ok('images', '--json'), '{\n  "images": []\n}');
  const repository = fixtures.named();
  const digest = imageDigest(repository);
  assert.equal(
    repository.ok('images'),
    `┌──────────┬──────────────┐
│ NAME     ┆ DIGEST       │
╞══════════╪══════════════╡
│ my-image ┆ ${digest.slice(0, 12)} │
└──────────┴──────────────┘`,
  );
  assert.ok(repository.ok('list-images', '--no-trunc').includes(`│ my-image ┆ ${digest} │`));
  assert.deepEqual(repository.json('images', '--json'), { images: [{ name: 'my-image', digest }] });
});

test('CLI-065 images that are not there', () => {
  const repository = fixtures.named();
  const mountpoint = fixtures.emptyDirectory();
  assert.equal(repository.run('mount', `sha512:${imageDigest(repository)}`, mountpoint).status, 1);
  const objects = repository.run('image-objects', 'nope');
  assert.deepEqual(objects, {
    status: 1,
    stdout: '',
    stderr:
      "Error: Collecting objects for image 'nope'\n\nCaused by:\n    0: Opening image 'nope'\n    1: image not found: nope\n\nhint: `cfsctl images` lists the named images, `cfsctl oci images` the tags\n",
  });
});

test('CLI-069 init --ensure keeps the existing configuration', () => {
  const repository = fixtures.repo('--erofs-version', '1');
  const before = metadataText(repository);
  assert.equal(
    repository.ok('init', '--ensure', '--erofs-version', '2', '--insecure'),
    `Repository already initialized at ${repository.path} (existing configuration preserved)`,
  );
  assert.equal(metadataText(repository), before);
});

test('init --ensure creates, and upgrades', () => {
  const path = fixtures.path('ensured');
  const ensure = ['--insecure', '--repo', path, 'init', '--ensure'];
  assert.match(expectSuccess(cfsctl(ensure)), /^Initialized /);
  expectSuccess(cfsctl(['--repo', path, 'create-image', fixtures.rootfs()]));
  unlinkSync(join(path, 'meta.json'));
  assert.equal(expectSuccess(cfsctl(ensure)), `Upgraded legacy repository at ${path}`);
});

test('import-image stores the bytes of standard input under a name', () => {
  const source = fixtures.named();
  const image = readFileSync(join(source.path, 'images', imageDigest(source)));
  const repository = fixtures.repo();
  const imported = cfsctl(['--insecure', '--repo', repository.path, 'import-image', 'copy'], { input: image });
  assert.equal(expectSuccess(imported), `sha512:${imageDigest(source)}`);
  assert.equal(repository.ok('image-objects', 'copy'), `sha512:${OBJ_HELLO_512}`);
});

test('import-image refuses what is no image, of which gc could not tell what it needs', () => {
  const repository = fixtures.repo();
  for (const input of ['', 'x'.repeat(5000)]) {
    const { status, stdout, stderr } = cfsctl(['--repo', repository.path, 'import-image', 'copy'], { input });
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.match(stderr, /^Error: Standard input is no composefs image\n/);
  }
  assert.equal(repository.ok('gc'), 'Objects: 0 removed (0 bytes)');
});

test('Ctrl-C ends gc, which says what that leaves', { timeout: 20_000 }, async () => {
  const repository = fixtures.repo();
  const holder = startCfsctl(['--repo', repository.path, 'transaction']);
  const waiter = startCfsctl(['--repo', repository.path, 'gc', '--dry-run']);
  assert.equal(await exitStatus(waiter), 0);
  // By now the transaction, started first, has its lock.
  const gc = startCfsctl(['--repo', repository.path, 'gc']);
  let stderr = '';
  gc.stderr?.on('data', (data) => {
    stderr += String(data);
    // A second signal would end it without a word.
    if (!gc.killed && stderr.includes('waiting')) gc.kill('SIGINT');
  });
  const status = await new Promise((resolve) => gc.once('close', resolve));
  holder.kill('SIGTERM');
  assert.equal(status, 130);
  assert.match(
    stderr,
    /^warning: waiting: .* has the repository open\ninterrupted: part of the garbage may be deleted; /,
  );
});

test('a transaction keeps gc waiting until it ends', { timeout: 20_000 }, async () => {
  const repository = fixtures.repo();
  const holder = startCfsctl(['--repo', repository.path, 'transaction']);
  const waiter = startCfsctl(['--repo', repository.path, 'gc', '--dry-run']);
  assert.equal(await exitStatus(waiter), 0);
  // By now the transaction, started first, has its lock.
  const gc = startCfsctl(['--repo', repository.path, 'gc']);
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(holder.exitCode, null);
  assert.equal(gc.exitCode, null);
  holder.kill('SIGTERM');
  assert.equal(await exitStatus(gc), 0);
});

test('a reader that goes away ends the command quietly', { timeout: 20_000 }, async () => {
  const child = startCfsctl(['--no-repo', 'create-dumpfile', '--no-propagate-usr-to-root', fixtures.rootfs()]);
  child.stdout?.destroy();
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += String(data);
  });
  assert.equal(await exitStatus(child), 0);
  assert.equal(stderr, '');
});

test('$HOME must be set for the repository of the user', () => {
  const { status, stderr } = cfsctl(['--user', 'gc'], { env: { HOME: undefined } });
  assert.equal(status, 1);
  assert.match(stderr, /^Error: \$HOME must be set when in user mode\n/);
});

test('--debug shows stacks', () => {
  const args = ['--repo', '/nonexistent', 'gc'];
  assert.doesNotMatch(cfsctl(args).stderr, /\n +at /);
  assert.match(cfsctl(['--debug', ...args]).stderr, /\n +at /);
});

async function exitStatus(child: ReturnType<typeof startCfsctl>): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  return await new Promise((resolve) => child.once('exit', resolve));
}

test('init that fails leaves no directory that it has made, and says what to do', (context) => {
  const place = mkdtempSync('/dev/shm/composefs-oci-test-init-');
  context.after(() => rmSync(place, { recursive: true, force: true }));
  const { status, stderr } = cfsctl(['init', join(place, 'a/b/c')]);
  if (status === 0) return context.skip('tmpfs has fs-verity here');
  assert.deepEqual([status, readdirSync(place)], [1, []]);
  assert.match(stderr, /\nhint: ext4 has fs-verity after .*; on other file systems .*: `cfsctl init --insecure`\n$/);
  mkdirSync(join(place, 'mine'));
  assert.equal(cfsctl(['init', join(place, 'mine')]).status, 1);
  assert.deepEqual(readdirSync(place), ['mine']);
  assert.equal(cfsctl(['init', '--insecure', join(place, 'a/b/c')]).status, 0);
});
