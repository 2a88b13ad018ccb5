import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lutimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { CFSCTL, type TestRepository } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { buildImage, LayoutBuilder, type TestImage } from '../../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const SHARED = Buffer.alloc(20_000, 'shared ');
const LOWER = tarArchive([tarDirectory('usr/'), tarFile('usr/shared', SHARED), tarFile('usr/old', 'o'.repeat(5000))]);
const UPPER = tarArchive([tarFile('usr/old', 'n'.repeat(9000))]);

let repository: TestRepository;
let one: TestImage;
let two: TestImage;

before(() => {
  one = buildImage([LOWER], { config: { history: [{ created: '2024-02-03T04:05:06Z', created_by: 'ADD base' }] } });
  const history = [{ created_by: 'ADD base' }, { created_by: 'ENV a=b', empty_layer: true }, { created_by: 'RUN it' }];
  two = buildImage([LOWER, UPPER], { config: { history } });
  const layout = fixtures.path('layout');
  new LayoutBuilder().addImage(one, { tag: 'one' }).addImage(two, { tag: 'two' }).write(layout);
  repository = fixtures.repo();
  for (const tag of ['one', 'two']) repository.ok('oci', 'pull', `oci:${layout}:${tag}`, tag);
  repository.ok('oci', 'tag', two.manifest.descriptor.digest, 'also');
  repository.ok('gc');
});

interface Usage {
  readonly count: number;
  readonly bytes: number;
  readonly disk: number;
}

interface Image extends Record<'size' | 'shared' | 'unique' | 'freed' | 'freed_links', Usage> {
  readonly name: string;
  readonly tags: readonly string[];
  readonly layers: readonly { readonly layer: string; readonly size: Usage; readonly freed: Usage }[];
}

function du(...args: string[]): { readonly images: readonly Image[]; readonly total: Image } {
  return repository.json('du', '--json', ...args) as { images: Image[]; total: Image };
}

test('du shows what images and layers take, share and would free', () => {
  const { images, total } = du();
  assert.deepEqual(
    images.map(({ name, tags }) => [name, tags]),
    [
      ['also', ['also', 'two']],
      ['one', ['one']],
    ],
  );
  const [ofTwo, ofOne] = images;
  assert.ok(ofTwo !== undefined && ofOne !== undefined);
  // Both files and the stream of the lower layer.
  assert.equal(ofOne.shared.count, 3);
  assert.equal(ofTwo.shared.count, 3);
  assert.deepEqual(
    ofTwo.layers.map(({ layer, size, freed }) => [layer, size.count, freed.count]),
    [
      [two.diffIds[0], 3, 0],
      [two.diffIds[1], 2, 2],
    ],
  );
  assert.equal(total.unique.bytes, ofOne.unique.bytes + ofTwo.unique.bytes + ofOne.shared.bytes);
  assert.deepEqual(total.freed, total.size);
  assert.deepEqual(du('two').images, [ofTwo]);
  assert.deepEqual(du('one', 'also', 'two').total, total);
});

test('du prints tables: images, and layers where they are asked for', () => {
  const exact = repository.ok('du', '--bytes', 'one').split('\n');
  const [image] = du('one').images;
  assert.ok(image !== undefined);
  const cells = (line: string | undefined): string[] =>
    (line ?? '')
      .split(/[│┆]/)
      .map((cell) => cell.trim())
      .slice(1, -1);
  assert.deepEqual(cells(exact[1]), ['IMAGE', 'SIZE', 'SHARED', 'UNIQUE', 'FREED']);
  const freed = image.freed.disk + image.freed_links.disk;
  assert.deepEqual(cells(exact[3]), [
    'one',
    ...[image.size.disk, image.shared.disk, image.unique.disk, freed].map(String),
  ]);
  assert.equal(exact[6], 'Layers of one:');
  assert.equal(cells(exact[10])[0], one.diffIds[0]?.slice(7, 19));
  const all = repository.ok('du').split('\n');
  assert.deepEqual(
    all
      .slice(3, -3)
      .map((line) => cells(line)[0])
      .filter((_, index) => index % 2 === 0),
    ['also, two', 'one', 'together'],
  );
  assert.equal(repository.run('du', 'nothing').status, 1);
  assert.equal(fixtures.repo().ok('du'), 'Nothing is named in the repository');
});

test('df counts all files', () => {
  const { kinds, total } = repository.json('df', '--json') as { kinds: Record<string, Usage>; total: Usage };
  assert.equal(kinds['layer_files']?.count, 3);
  assert.equal(kinds['layer_files']?.bytes, 34_000);
  assert.equal(kinds['documents']?.count, 4);
  assert.equal(kinds['images']?.count, 2);
  assert.equal(kinds['streams']?.count, 6);
  assert.equal(kinds['unreachable']?.count, 0);
  assert.equal(
    Object.values(kinds).reduce((sum, { disk }) => sum + disk, 0),
    total.disk,
  );
  const text = repository.ok('df', '-b');
  assert.match(text, /│ layer-files ┆ 3 +┆ 34000 +┆/);
  assert.match(text, new RegExp(`│ total +┆ ${total.count} +┆ ${total.bytes} +┆ ${total.disk} +│`));
  assert.match(text, /\n\nFile system: \d+ of \d+ available$/);
});

test('why names the references that keep something, and the way from each', () => {
  const id = computeVerity('sha512', SHARED);
  const path = `objects/${id.slice(0, 2)}/${id.slice(2)}`;
  const way = ({ manifest, diffIds }: TestImage): string[] => [
    `  -> streams/oci-manifest-${manifest.descriptor.digest}`,
    // A manifest names the layers itself.
    `  -> streams/oci-layer-${diffIds[0]}`,
    `  -> ${path}`,
  ];
  const expected = [
    `The object ${id} is kept by 3 references`,
    '',
    'streams/refs/oci/also (tag also)',
    'streams/refs/oci/two (tag two)',
    ...way(two),
    '',
    'streams/refs/oci/one (tag one)',
    ...way(one),
  ];
  for (const name of [id, id.slice(0, 9), path]) {
    assert.deepEqual(repository.ok('why', name).split('\n'), expected, name);
  }
  const layer = repository.ok('why', two.diffIds[1] ?? '');
  assert.equal(repository.ok('why', `oci-layer-${two.diffIds[1]}`), layer);
  assert.equal(repository.ok('why', `streams/oci-layer-${two.diffIds[1]}`), layer);
  assert.match(layer, /^The stream oci-layer-sha256:[0-9a-f]{64} is kept by 2 references\n\nstreams\/refs\/oci\/also /);
  const image = repository.json('why', '--json', 'one') as {
    kept: boolean;
    reasons: { tags: string[]; steps: unknown[] }[];
  };
  assert.equal(image.kept, true);
  assert.deepEqual(
    image.reasons.map(({ tags, steps }) => [tags, steps]),
    [[['one'], []]],
  );
  for (const name of ['0123456789', 'objects/12/34', 'streams/nothing', 'refs/oci/nothing', 'nothing', '../x']) {
    const { status, stderr } = repository.run('why', name);
    assert.equal(status, 1);
    assert.match(stderr, /^Error: there is no .* in the repository\n/, name);
  }
});

test('oci history shows layers, commands and what is hidden', () => {
  const { steps, hidden, wasted } = repository.json('oci', 'history', '--json', 'two') as {
    steps: { created_by: string; layer?: { diff_id: string; hides: object } }[];
    hidden: object;
    wasted: object;
  };
  assert.deepEqual(
    steps.map(({ created_by, layer }) => [created_by, layer?.diff_id, layer?.hides]),
    [
      ['ADD base', two.diffIds[0], { files: 0, bytes: 0 }],
      ['ENV a=b', undefined, undefined],
      ['RUN it', two.diffIds[1], { files: 1, bytes: 5000 }],
    ],
  );
  assert.deepEqual(
    [hidden, wasted],
    [
      { files: 1, bytes: 5000 },
      { files: 1, bytes: 5000 },
    ],
  );
  const lines = repository.ok('oci', 'history', 'two').split('\n');
  assert.match(lines[3] ?? '', /^│ [0-9a-f]{12} ┆ 10\.50 KiB ┆ 1 +┆ 4\.88 KiB in 1 ┆ +┆ RUN it +│$/);
  assert.match(lines[5] ?? '', /^│ {14}┆ .* ENV a=b +│$/);
  assert.equal(
    lines.at(-1),
    '2 layers, 38.00 KiB; 4.88 KiB (12.8 %) in 1 file hidden by later layers, 4.88 KiB in 1 object stored for that alone',
  );
  const single = repository.ok('oci', 'history', '--no-trunc', 'one').split('\n');
  assert.match(single[3] ?? '', /^│ sha256:[0-9a-f]{64} ┆ 27\.50 KiB ┆ 3 +┆ +┆ 2024-02-03T04:05:06Z ┆ ADD base +│$/);
  assert.equal(single.at(-1), '1 layer, 27.50 KiB; no layer hides files of another');
});

test('gc --json says what was removed, or would be', () => {
  const other = fixtures.repo();
  assert.deepEqual(other.json('gc', '--json', '--dry-run'), {
    dry_run: true,
    objects_removed: 0,
    objects_bytes: 0,
    images_pruned: 0,
    streams_pruned: 0,
  });
  other.ok('oci', 'pull', `oci:${fixtures.oci()}`, 'app');
  other.ok('oci', 'untag', 'app');
  const young = other.json('gc', '--json', '--keep-newer-than', '1h') as { objects_removed: number };
  assert.equal(young.objects_removed, 0);
  const dry = other.json('gc', '--json', '-n') as { objects_removed: number };
  const done = other.json('gc', '--json') as { objects_removed: number; dry_run: boolean };
  assert.equal(done.dry_run, false);
  assert.ok(done.objects_removed > 3);
  assert.equal(dry.objects_removed, done.objects_removed);
});

const cannotPretend = process.getuid?.() === 0 ? false : 'needs root, to be told another command line of the kernel';

test('gc and oci prune --gc keep the image that this machine runs from', { skip: cannotPretend }, () => {
  const machine = fixtures.repo();
  machine.ok('oci', 'pull', `oci:${fixtures.oci()}`, 'app');
  const id = machine.ok('oci', 'compute-id', 'app').replace(/^.*:/, '');
  const imagePath = join(machine.path, 'objects', id.slice(0, 2), id.slice(2));
  const cmdline = fixtures.path('cmdline');
  writeFileSync(cmdline, `root=/dev/vda composefs=?${id}\n`);
  lutimesSync(join(machine.path, 'streams/refs/oci/app'), 1_000_000_000, 1_000_000_000);
  const runsFromIt = (...args: string[]): string => {
    const script = 'mount --bind "$0" /proc/cmdline && exec "$@"';
    const command = [process.execPath, CFSCTL, '--repo', machine.path, ...args];
    return execFileSync('unshare', ['-m', 'sh', '-c', script, cmdline, ...command], { encoding: 'utf8' });
  };
  assert.match(
    runsFromIt('oci', 'prune', '--older-than', '1d', '--gc'),
    /^Removed app \(tagged 2001-09-09\)\nObjects: \d removed/,
  );
  assert.ok(existsSync(imagePath));
  assert.match(runsFromIt('gc'), /^Objects: 0 removed/);
  assert.ok(existsSync(imagePath));
  assert.match(machine.ok('gc'), /^Objects: 1 removed/);
  assert.ok(!existsSync(imagePath));
});

test('oci prune removes old tags, and with --gc what only they kept', () => {
  const other = fixtures.repo();
  const layout = fixtures.oci();
  for (const tag of ['old', 'new']) other.ok('oci', 'pull', `oci:${layout}`, tag);
  lutimesSync(join(other.path, 'streams/refs/oci/old'), 1_000_000_000, 1_000_000_000);
  assert.equal(other.ok('oci', 'prune', '--older-than', '1w2d', '--dry-run'), 'Would remove old (tagged 2001-09-09)');
  assert.equal(other.ok('oci', 'prune', '--older-than', '1w', '--keep', '2'), 'No tags are that old');
  const pruned = other.json('oci', 'prune', '--older-than', '1w', '--gc', '--json') as {
    tags: { tag: string; tagged: string }[];
    gc: { objects_removed: number };
  };
  assert.deepEqual(
    pruned.tags.map(({ tag, tagged }) => [tag, tagged]),
    [['old', '2001-09-09T01:46:40.000Z']],
  );
  assert.equal(typeof pruned.gc.objects_removed, 'number');
  assert.deepEqual(
    (other.json('oci', 'images', '--json') as { images: { name: string }[] }).images.map(({ name }) => name),
    ['new'],
  );
  for (const wrong of ['1x', '', '-1d', '5', '99999999999999w']) {
    const { status, stderr } = other.run('oci', 'prune', '--older-than', wrong);
    assert.equal(status, 2, wrong);
    assert.match(stderr, /^error: (?:invalid value|a value is required)/);
  }
  assert.match(
    other.run('oci', 'prune').stderr,
    /^error: the following required arguments were not provided:\n {2}--older-than <AGE>\n/,
  );
});
