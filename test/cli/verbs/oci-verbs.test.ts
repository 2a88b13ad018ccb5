import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cfsctl, cfsctlBytes, expectSuccess, type TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { fxOci, LayoutBuilder } from '../../support/oci-fixtures.js';
import { sha256 } from '../../support/sha256.js';
import { sparseFile, sparseTars } from '../../support/sparse-tars.js';
import { tarArchive, tarFile } from '../../support/tar-builder.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const ID_OCI_V2 =
  'f7684c21050615c02cec250e0c7d4118fb0ff6340af5039e06f2f372a7614fff25dfd38cf7f28ad67d8b86e86371b7deafa9ae4bf543630322aee6196417de92';
const ID_OCI_V1 =
  'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a';
const ID_OCI_V1_256 = 'ca4c0cedfe7cf4e19090b65126e5b2ccc2e7fb4eef2af2a1bcdebe7488d5790b';

/** The digests of FX-OCI. */
const image = fxOci();
const MANIFEST = image.manifest.descriptor.digest;
const CONFIG = image.config.descriptor.digest;
const LAYER = image.diffIds[0] ?? '';
const ZERO_DIGEST = `sha256:${'0'.repeat(64)}`;

function record(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value));
  return { ...value };
}

function tags(repository: TestRepository): unknown[] {
  const { images } = record(repository.json('oci', 'images', '--json'));
  assert.ok(Array.isArray(images));
  return images.map((entry) => record(entry)['name']);
}

test('CLI-007, CLI-008 oci images of an empty repository', () => {
  const repository = fixtures.repo();
  assert.equal(repository.ok('oci', 'images'), 'No images found');
  assert.equal(repository.ok('oci', 'images', '--json'), '{\n  "images": []\n}');
});

test('CLI-009 oci pull prints what it stored, and nothing else', () => {
  const { status, stdout, stderr } = fixtures.repo().run('oci', 'pull', `oci:${fixtures.oci()}`, 'test-image');
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  const [manifest, config, verity, tagged, objects, ...rest] = stdout.split('\n');
  assert.equal(manifest, `manifest ${MANIFEST}`);
  assert.equal(config, `config   ${CONFIG}`);
  assert.match(verity ?? '', /^verity {3}[0-9a-f]{128}$/);
  assert.equal(tagged, 'tagged   test-image');
  assert.match(objects ?? '', /^objects {2}0 new \+ 0 already present objects; 0 B stored, .+ inlined$/);
  assert.deepEqual(rest, ['']);
});

test('oci pull tags with the reference itself if there is no name', () => {
  const repository = fixtures.repo();
  const reference = `oci:${fixtures.oci()}`;
  assert.match(repository.ok('oci', 'pull', reference), new RegExp(`\\ntagged {3}${reference}\\n`));
  assert.deepEqual(tags(repository), [reference]);
});

test('oci pull --quiet, --json and --progress', () => {
  const repository = fixtures.repo();
  const pull = ['oci', 'pull', `oci:${fixtures.oci()}`, 'x'];
  const plain = repository.run(...pull, '--progress', 'json');
  const events = plain.stderr
    .trimEnd()
    .split('\n')
    .map((line) => record(JSON.parse(line)));
  assert.ok(events.some((event) => event['type'] === 'plan'));
  assert.ok(events.some((event) => event['type'] === 'done' && event['id'] === LAYER));
  assert.deepEqual(repository.run(...pull, '-q'), { status: 0, stdout: `${MANIFEST}\n`, stderr: '' });
  const result = record(repository.json(...pull, '--json'));
  assert.deepEqual([result['manifest_digest'], result['config_digest'], result['tag']], [MANIFEST, CONFIG, 'x']);
});

test('oci pull --platform takes that image of an index', () => {
  const arm = fxOci({ architecture: 'arm64' });
  const layout = new LayoutBuilder().addImage(image).addImage(arm).write(fixtures.path('layout'));
  const repository = fixtures.repo();
  const pull = ['oci', 'pull', `oci:${layout}`, 'x', '--quiet', '--platform'];
  assert.equal(repository.ok(...pull, 'linux/arm64'), arm.manifest.descriptor.digest);
  assert.equal(repository.run(...pull, 'linux/s390x').status, 1);
});

test('oci pull of what is not there fails and leaves no tag', () => {
  const repository = fixtures.repo();
  const { status, stdout, stderr } = repository.run('oci', 'pull', 'oci:/nonexistent', 'x');
  assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
  assert.match(stderr, /^Error: .*\/nonexistent/);
  assert.deepEqual(tags(repository), []);
});

test('CLI-010, CLI-011 oci images', () => {
  const repository = fixtures.pulled();
  const short = MANIFEST.slice('sha256:'.length).slice(0, 12);
  assert.equal(
    repository.ok('oci', 'images'),
    `┌────────────┬──────────────┬───────┬────────┬──────┐
│ NAME       ┆ DIGEST       ┆ ARCH  ┆ LAYERS ┆ REFS │
╞════════════╪══════════════╪═══════╪════════╪══════╡
│ test-image ┆ ${short} ┆ amd64 ┆ 1      ┆ 0    │
└────────────┴──────────────┴───────┴────────┴──────┘`,
  );
  const entry = {
    name: 'test-image',
    manifest_digest: MANIFEST,
    is_container: true,
    architecture: 'amd64',
    os: 'linux',
    created: null,
    layer_count: 1,
    referrer_count: 0,
  };
  assert.equal(repository.ok('oci', 'images', '--json'), JSON.stringify({ images: [entry] }, null, 2));
});

test('CLI-012 oci inspect', () => {
  const repository = fixtures.pulled();
  const inspection = record(repository.json('oci', 'inspect', 'test-image'));
  assert.deepEqual(Object.keys(inspection), [
    'manifest',
    'config',
    'referrers',
    'composefs_erofs',
    'composefs_boot_erofs',
  ]);
  assert.equal(inspection['manifest'], image.manifest.bytes.toString());
  assert.equal(inspection['config'], image.config.bytes.toString());
  assert.deepEqual(inspection['referrers'], []);
  assert.equal(inspection['composefs_erofs'], ID_OCI_V2);
  assert.equal(inspection['composefs_boot_erofs'], null);
  assert.deepEqual(repository.json('oci', 'inspect', `@${MANIFEST}`), inspection);
});

test('CLI-013, CLI-014 oci inspect --manifest, --config: the stored bytes and a newline', () => {
  const repository = fixtures.pulled();
  assert.equal(repository.run('oci', 'inspect', 'test-image', '--manifest').stdout, `${image.manifest.bytes}\n`);
  assert.equal(repository.run('oci', 'inspect', 'test-image', '--config').stdout, `${image.config.bytes}\n`);
});

test('oci linked-erofs-images lists the EROFS images of the image that one belongs to', () => {
  const repository = fixtures.pulled();
  const images = [{ id: ID_OCI_V2, bootable: false, version: 2, xattrMode: null }];
  const text = JSON.stringify(images, null, 2);
  assert.equal(repository.ok('oci', 'linked-erofs-images', ID_OCI_V2), text);
  assert.equal(repository.ok('oci', 'linked-erofs-images', ID_OCI_V2.toUpperCase()), text);
  const unknown = '0'.repeat(128);
  const refusals: [string, string][] = [
    [unknown, `image not found: ${unknown}`],
    ['abc', 'Odd number of digits'],
    ['abcd', 'Invalid string length'],
  ];
  for (const [verity, message] of refusals) {
    const { status, stdout, stderr } = repository.run('oci', 'linked-erofs-images', verity);
    assert.deepEqual([status, stdout, stderr.split('\n')[0]], [1, '', `Error: ${message}`]);
  }
  const empty = fixtures.repo().run('oci', 'linked-erofs-images', unknown);
  assert.deepEqual([empty.status, empty.stderr.split('\n')[0]], [1, `Error: image not found: ${unknown}`]);
});

test('oci inspect of what is not there', () => {
  const repository = fixtures.repo();
  const byTag = repository.run('oci', 'inspect', 'nope');
  assert.deepEqual([byTag.status, byTag.stderr.split('\n')[0]], [1, 'Error: OCI reference not found: nope']);
  const byDigest = repository.run('oci', 'inspect', `@${ZERO_DIGEST}`);
  assert.deepEqual(
    [byDigest.status, byDigest.stderr.split('\n')[0]],
    [1, `Error: OCI image not found: ${ZERO_DIGEST}`],
  );
});

test('CLI-015, CLI-016, CLI-053 oci compute-id by config digest and by tag', () => {
  const repository = fixtures.pulled();
  assert.equal(repository.ok('oci', 'compute-id', `@${CONFIG}`), ID_OCI_V2);
  assert.equal(repository.ok('oci', 'compute-id', 'test-image'), ID_OCI_V2);
});

test('oci compute-id with the verity of the config', () => {
  const repository = fixtures.pulled();
  const target = readlinkSync(join(repository.path, 'streams', `oci-config-${CONFIG}`));
  const verity = target.split('/').slice(-2).join('');
  assert.equal(repository.ok('oci', 'compute-id', `@${CONFIG}`, verity), ID_OCI_V2);
  assert.equal(repository.run('oci', 'compute-id', `@${CONFIG}`, '0'.repeat(128)).status, 1);
  assert.equal(repository.run('oci', 'compute-id', `@${CONFIG}`, 'zz').status, 1);
});

test('oci dump prints the flattened file system', () => {
  assert.equal(
    fixtures.pulled().ok('oci', 'dump', 'test-image'),
    `/ 0 40755 3 0 0 0 1234567890.0 - - -
/hello-link.txt 22 100644 2 0 0 0 1234567890.0 - hello\\x20from\\x20test\\x20layer\\n -
/hello.txt 0 @120000 - - - - 0.0 /hello-link.txt - -
/usr 0 40755 2 0 0 0 1234567890.0 - - -`,
  );
});

test('CLI-017 oci layer --json', () => {
  const layer = record(fixtures.pulled().json('oci', 'layer', LAYER, '--json'));
  assert.deepEqual(Object.keys(layer), ['diffId', 'verity', 'size', 'entryCount', 'splitstream']);
  assert.equal(layer['diffId'], LAYER);
  assert.match(String(layer['verity']), /^[0-9a-f]{128}$/);
  assert.equal(layer['entryCount'], 3);
  assert.ok(Number(layer['size']) > 0);
  assert.deepEqual(layer['splitstream'], { externalObjects: 0, externalSize: 0, inlineSize: layer['size'] });
});

test('CLI-018 oci layer --dumpfile', () => {
  assert.equal(
    fixtures.pulled().ok('oci', 'layer', LAYER, '--dumpfile'),
    `/usr 0 40755 1 0 0 0 1234567890.0 - - -
/hello.txt 22 100644 1 0 0 0 1234567890.0 - hello\\x20from\\x20test\\x20layer\\n -
/hello-link.txt 0 @120000 - - - - 0.0 /hello.txt - -`,
  );
});

test('CLI-019, CLI-052 oci layer writes the tar as it was; cat of its stream does too', () => {
  const { path } = fixtures.pulled();
  for (const verb of [
    ['oci', 'layer', LAYER],
    ['cat', `oci-layer-${LAYER}`],
  ]) {
    const { status, stdout } = cfsctlBytes(['--insecure', '--repo', path, ...verb]);
    assert.equal(status, 0);
    assert.equal(`sha256:${sha256(stdout)}`, LAYER);
    assert.ok(stdout.includes('hello from test layer\n'));
  }
});

test('a layer that is not there', () => {
  const result = fixtures.repo().run('oci', 'layer', ZERO_DIGEST);
  assert.deepEqual([result.status, result.stdout], [1, '']);
  assert.match(result.stderr, new RegExp(`^Error: Layer ${ZERO_DIGEST} not found\n`));
});

test('oci import-layer stores a tar from standard input, with a name', () => {
  const source = fixtures.pulled();
  const tar = cfsctlBytes(['--repo', source.path, 'oci', 'layer', LAYER]).stdout;
  const repository = fixtures.repo();
  const args = ['--insecure', '--repo', repository.path, 'oci', 'import-layer', LAYER, 'base/layer'];
  const verity = record(source.json('oci', 'layer', LAYER, '--json'))['verity'];
  assert.equal(expectSuccess(cfsctl(args, { input: tar })), `sha512:${verity}`);
  const { stdout } = cfsctlBytes(['--insecure', '--repo', repository.path, 'cat', 'refs/base/layer']);
  assert.deepEqual(stdout, tar);
});

test('layers of more entries or bytes than allowed are refused, and more can be allowed', () => {
  const repository = fixtures.repo();
  const run = (tar: Buffer, ...options: string[]): ReturnType<typeof cfsctl> => {
    const digest = `sha256:${sha256(tar)}`;
    return cfsctl(['--insecure', '--repo', repository.path, 'oci', 'import-layer', ...options, digest], { input: tar });
  };
  const hole = (size: number): Buffer => tarArchive([tarFile('a', ''), sparseTars(sparseFile(size, []), 'b').pax10]);
  const size = run(hole(2 ** 40));
  assert.equal(size.status, 1);
  assert.match(size.stderr, /the layer unpacks to more than 274877906944 bytes \(256\.00 GiB\)/);
  assert.match(size.stderr, /allow more with --max-layer-size/);
  assert.match(run(hole(2 ** 30), '--max-layer-size=1').stderr, /more than 1073741824 bytes \(1\.00 GiB\)/);
  assert.match(run(hole(0), '--max-layer-size=0').stderr, /not a number from 1 to 999999/);
  const entries = run(hole(2 ** 26), '--max-layer-entries=1');
  assert.equal(entries.status, 1);
  assert.match(entries.stderr, /the layer has more than 1 entries, or too long names and xattrs\n/);
  assert.match(entries.stderr, /allow more with --max-layer-entries/);
  expectSuccess(run(hole(2 ** 26), '--max-layer-size=1', '--max-layer-entries=2'));
});

test('oci import-layer refuses a tar of another digest', () => {
  const repository = fixtures.repo();
  const args = ['--insecure', '--repo', repository.path, 'oci', 'import-layer', ZERO_DIGEST];
  assert.equal(cfsctl(args, { input: Buffer.alloc(1024) }).status, 1);
  assert.ok(!existsSync(join(repository.path, 'streams', `oci-layer-${ZERO_DIGEST}`)));
});

test('CLI-035 oci fsck of a healthy repository', () => {
  const repository = fixtures.pulled();
  const result = record(repository.json('oci', 'fsck', '--json'));
  assert.deepEqual(Object.keys(result), ['ok', 'images_checked', 'images_corrupted', 'errors', 'repo']);
  assert.deepEqual([result['ok'], result['images_checked'], result['images_corrupted']], [true, 1, 0]);
  assert.match(repository.ok('oci', 'fsck'), /\nstatus: ok\noci images: 1\/1 ok$/);
});

test('CLI-036 oci fsck finds a corrupted manifest', () => {
  const repository = fixtures.pulled();
  const stream = join(repository.path, 'streams', `oci-manifest-${MANIFEST}`);
  const object = join(repository.path, 'streams', readlinkSync(stream));
  rmSync(object);
  writeFileSync(object, 'CORRUPTED MANIFEST DATA');
  assert.equal(record(repository.json('oci', 'fsck', '--json'))['ok'], false);
  const human = repository.run('oci', 'fsck');
  const hint = 'remove the damaged objects, then pull the images again: it stores what is missing';
  assert.deepEqual([human.status, human.stderr], [1, `Error: OCI integrity check failed\n\nhint: ${hint}\n`]);
});

test('CLI-037 oci fsck of one image', () => {
  const repository = fixtures.pulled();
  const result = record(repository.json('oci', 'fsck', '--json', 'test-image'));
  assert.deepEqual([result['ok'], result['images_checked']], [true, 1]);
  const unknown = repository.run('oci', 'fsck', 'nonexistent-image');
  assert.equal(unknown.status, 1);
  assert.match(
    unknown.stdout,
    /\noci images: 0\/1 ok\noci errors: 1\n {2}- fsck: ref-resolve-failed: nonexistent-image: OCI reference not found: nonexistent-image\n$/,
  );
});

test('CLI-050 oci tag and untag', () => {
  const repository = fixtures.repo();
  repository.ok('oci', 'pull', `oci:${fixtures.oci()}`, 'myimage:v1');
  assert.equal(repository.ok('oci', 'tag', MANIFEST, 'myimage:latest'), `Tagged ${MANIFEST} as myimage:latest`);
  assert.deepEqual(tags(repository), ['myimage:latest', 'myimage:v1']);
  assert.equal(repository.ok('oci', 'untag', 'myimage:v1'), 'Removed tag myimage:v1');
  assert.deepEqual(tags(repository), ['myimage:latest']);
  const again = repository.run('oci', 'untag', 'myimage:v1');
  assert.equal(again.status, 1);
  assert.match(again.stderr, /^Error: Failed to remove tag myimage:v1\n\nCaused by:\n {4}.*o such file/);
  assert.match(again.stderr, /\n\nhint: list the tags of the repository with `cfsctl oci images`\n$/);
});

test('CLI-051 gc removes an untagged image', () => {
  const repository = fixtures.pulled();
  repository.ok('oci', 'untag', 'test-image');
  assert.match(repository.ok('gc'), /removed/);
  assert.deepEqual(tags(repository), []);
  assert.deepEqual(readdirSync(join(repository.path, 'streams')), ['refs']);
});

test('CLI-058 the format of an image can be chosen for one command', () => {
  const repository = fixtures.pulled();
  const computeId = ['oci', 'compute-id', `@${CONFIG}`];
  assert.equal(repository.ok('--erofs-version', '1', ...computeId), ID_OCI_V1);
  assert.equal(repository.ok(...computeId), ID_OCI_V2);
});

test('CLI-063 a tag must not begin with @', () => {
  const { status, stderr } = fixtures.repo().run('oci', 'tag', ZERO_DIGEST, '@x');
  assert.equal(status, 1);
  assert.equal(stderr.split('\n')[0], `Error: Invalid ref name "@x": leading '@' is reserved for digest references`);
});

test('CLI-068 compute-id in a sha256 V1 repository', () => {
  const repository = fixtures.pulled('--algorithm', 'fsverity-sha256-12', '--erofs-version', '1');
  assert.equal(repository.ok('oci', 'compute-id', 'test-image'), ID_OCI_V1_256);
});

test('oci mount shows the files, read-only', (context) => {
  const repository = fixtures.pulled();
  const mountpoint = fixtures.emptyDirectory();
  const mounted = repository.run('oci', 'mount', 'test-image', mountpoint);
  if (mounted.status !== 0) return context.skip(`cannot mount here: ${mounted.stderr}`);
  try {
    assert.equal(readFileSync(join(mountpoint, 'hello-link.txt'), 'utf8'), 'hello from test layer\n');
    assert.throws(() => writeFileSync(join(mountpoint, 'x'), ''), { code: 'EROFS' });
  } finally {
    execFileSync('umount', [mountpoint]);
  }
});

test('oci mount of what cannot be mounted', () => {
  const repository = fixtures.pulled();
  const mountpoint = fixtures.emptyDirectory();
  const unlinked = repository.run('--erofs-version', '1', 'oci', 'mount', 'test-image', mountpoint);
  assert.equal(unlinked.stderr.split('\n')[0], 'Error: No composefs EROFS image linked — try re-pulling the image');
  assert.match(
    repository.run('oci', 'mount', 'sha256:12', mountpoint).stderr,
    /^Error: Parsing manifest digest\n\nCaused by:\n/,
  );
});

const SPELLINGS = [
  'test-image',
  MANIFEST,
  `@${MANIFEST}`,
  `quay.io/team/app:1@${MANIFEST}`,
  MANIFEST.slice(7, 19),
  MANIFEST.slice(0, 15),
  CONFIG,
  `@${CONFIG}`,
  CONFIG.slice(7, 15),
];

test('every verb takes an image by its tag, by the digest of manifest or config, or by first digits', () => {
  const repository = fixtures.pulled();
  const layers = JSON.stringify(repository.json('oci', 'history', '--json', 'test-image'));
  const inspection = repository.json('oci', 'inspect', 'test-image');
  const linked = repository.json('oci', 'linked-erofs-images', ID_OCI_V2);
  const files = repository.ok('dump-files', ID_OCI_V2, '/hello.txt');
  for (const spelling of SPELLINGS) {
    assert.deepEqual(repository.json('oci', 'inspect', spelling), inspection, spelling);
    assert.equal(repository.ok('oci', 'compute-id', spelling), ID_OCI_V2, spelling);
    assert.deepEqual(repository.json('oci', 'linked-erofs-images', spelling), linked, spelling);
    assert.equal(JSON.stringify(repository.json('oci', 'history', '--json', spelling)), layers, spelling);
    assert.equal(repository.ok('dump-files', spelling, '/hello.txt'), files, spelling);
    assert.match(repository.ok('oci', 'fsck', spelling), /\noci images: 1\/1 ok$/, spelling);
    assert.equal(repository.ok('oci', 'tag', spelling, 'again'), `Tagged ${MANIFEST} as again`, spelling);
    repository.ok('oci', 'untag', 'again');
  }
  assert.match(repository.run('boot', 'check', MANIFEST.slice(7, 19)).stdout, /problem: /);
  assert.equal(repository.ok('oci', 'ls', ID_OCI_V2.slice(0, 8)), repository.ok('oci', 'ls', 'test-image'));
  assert.equal(repository.ok('image-objects', 'test-image'), repository.ok('image-objects', ID_OCI_V2));
  assert.equal(repository.run('oci', 'diff', 'test-image', ID_OCI_V2.slice(0, 20)).status, 0);
});

test('oci tag gives a tag to what another tag names', () => {
  const repository = fixtures.pulled();
  assert.equal(repository.ok('oci', 'tag', 'test-image', 'second'), `Tagged ${MANIFEST} as second`);
  assert.deepEqual(tags(repository), ['second', 'test-image']);
  const { status, stderr } = repository.run('oci', 'tag', 'nope', 'third');
  assert.deepEqual(
    [status, stderr],
    [1, 'Error: OCI reference not found: nope\n\nhint: list the tags of the repository with `cfsctl oci images`\n'],
  );
});

test('the verity of a config counts only for what is named by a digest', () => {
  const repository = fixtures.pulled();
  const wrong = '0'.repeat(128);
  assert.equal(repository.ok('oci', 'compute-id', 'test-image', wrong), ID_OCI_V2);
  const { status, stderr } = repository.run('oci', 'compute-id', MANIFEST, wrong);
  const verity = readlinkSync(join(repository.path, 'streams', `oci-config-${CONFIG}`))
    .split('/')
    .slice(-2)
    .join('');
  assert.deepEqual([status, stderr], [1, `Error: the stream of the config ${CONFIG} is ${verity}, not ${wrong}\n`]);
  assert.equal(repository.ok('oci', 'compute-id', MANIFEST, verity), ID_OCI_V2);
});

test('layers and streams are named by their digests, or the first digits of them', () => {
  const repository = fixtures.pulled();
  const tar = cfsctlBytes(['--insecure', '--repo', repository.path, 'oci', 'layer', LAYER]).stdout;
  for (const spelling of [LAYER.slice(7, 15), LAYER.slice(0, 19)]) {
    const args = ['--insecure', '--repo', repository.path, 'oci', 'layer', spelling];
    assert.deepEqual(cfsctlBytes(args).stdout, tar, spelling);
  }
  assert.equal(repository.run('cat', CONFIG.slice(7, 15)).stdout, image.config.bytes.toString());
  assert.equal(repository.run('cat', MANIFEST).stdout, image.manifest.bytes.toString());
  const { status, stderr } = repository.run('oci', 'layer', ZERO_DIGEST);
  assert.deepEqual(
    [status, stderr],
    [1, `Error: Layer ${ZERO_DIGEST} not found\n\nhint: \`cfsctl oci history\` lists the layers of an image\n`],
  );
});

test('gc keeps what is named as any verb takes it, and says of what is not there that nothing is kept', () => {
  const repository = fixtures.pulled();
  repository.ok('oci', 'untag', 'test-image');
  const { status, stderr } = repository.run('gc', '-r', MANIFEST.slice(7, 19), '-r', 'nope');
  assert.deepEqual([status, stderr], [0, 'warning: there is no image or stream nope: nothing is kept for it\n']);
  assert.equal(repository.ok('oci', 'compute-id', MANIFEST), ID_OCI_V2);
  repository.ok('gc');
  assert.equal(
    repository.run('oci', 'compute-id', MANIFEST).stderr.split('\n')[0],
    `Error: OCI image not found: ${MANIFEST}`,
  );
});

test('tag, untag, compute-id, image-objects and init print JSON', () => {
  const repository = fixtures.pulled();
  assert.deepEqual(repository.json('oci', 'tag', '--json', 'test-image', 'two'), {
    tag: 'two',
    manifest_digest: MANIFEST,
  });
  assert.deepEqual(repository.json('oci', 'untag', '--json', 'two'), { removed: ['two'] });
  assert.deepEqual(repository.json('oci', 'compute-id', '--json', 'test-image'), {
    id: ID_OCI_V2,
    algorithm: 'fsverity-sha512-12',
  });
  assert.deepEqual(repository.json('image-objects', '--json', 'test-image'), { objects: [] });
  assert.deepEqual(repository.json('init', '--json', '--erofs-version', '2'), {
    path: repository.path,
    created: false,
    algorithm: 'fsverity-sha512-12',
    verity_required: false,
  });
});
