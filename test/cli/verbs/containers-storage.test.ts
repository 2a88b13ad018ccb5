import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CFSCTL, cfsctl, TestRepository } from '../../support/cfsctl.js';
import { buildImage } from '../../support/oci-fixtures.js';
import { withTempDir } from '../../support/paths.js';
import { StoreBuilder } from '../../support/store-builder.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';

const TARS = [tarArchive([tarDirectory('usr/'), tarFile('usr/file', Buffer.alloc(100, 1))])];

interface Setup {
  readonly builder: StoreBuilder;
  readonly directory: string;
  /** No other store is found. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

function withStore(action: (setup: Setup) => void): void {
  withTempDir((directory) => {
    const builder = new StoreBuilder(join(directory, 'store'));
    builder.addImage(buildImage(TARS), TARS, ['localhost/app:1', 'quay.io/team/app:1']);
    const conf = join(directory, 'storage.conf');
    writeFileSync(conf, `[storage]\ndriver = "overlay"\ngraphroot = "${builder.root}"\n`);
    action({ builder, directory, env: { CONTAINERS_STORAGE_CONF: conf, HOME: directory, STORAGE_OPTS: undefined } });
  });
}

test('oci images --store containers-storage', () => {
  withStore(({ builder, env }) => {
    const image = buildImage(TARS);
    const id = image.config.descriptor.digest.replace('sha256:', '');
    const { status, stdout } = cfsctl(['oci', 'images', '--store', 'containers-storage', '--json'], { env });
    assert.equal(status, 0);
    const [entry, ...others] = JSON.parse(stdout).images.filter(
      ({ store }: { store: string }) => store === builder.root,
    );
    assert.deepEqual(others, []);
    assert.deepEqual(entry, {
      id,
      names: ['localhost/app:1', 'quay.io/team/app:1'],
      manifest_digest: image.manifest.descriptor.digest,
      created: '2026-01-02T03:04:05Z',
      layer_count: 1,
      size: 2560,
      store: builder.root,
      driver: 'overlay',
    });
    const table = cfsctl(['oci', 'images', '--store', 'containers-storage'], { env }).stdout;
    const short = id.slice(0, 12);
    for (const name of entry.names)
      assert.match(table, new RegExp(`│ ${name} +┆ ${short} ┆ 1 +┆ 2.50 KiB +┆ ${builder.root} +│`));
    assert.match(table, /^┌.*\n│ NAME +┆ ID +┆ LAYERS ┆ SIZE +┆ STORE +│\n/);
  });
});

test('a store that cannot be read is passed over, with a warning', () => {
  withStore(({ builder, env }) => {
    writeFileSync(join(builder.root, 'overlay-images', 'images.json'), '{');
    const { status, stderr } = cfsctl(['oci', 'images', '--store', 'containers-storage'], { env });
    assert.equal(status, 0);
    assert.match(stderr, /warning: .*store: Invalid .*images\.json/i);
  });
});

test('oci pull containers-storage:', { skip: process.geteuid?.() !== 0 && 'needs root' }, () => {
  withStore(({ directory, env }) => {
    const repository = TestRepository.create(directory);
    const pull = (...args: string[]): ReturnType<typeof cfsctl> =>
      cfsctl(['--insecure', '--repo', repository.path, 'oci', 'pull', '--progress', 'none', ...args], { env });
    const { status, stdout, stderr } = pull('containers-storage:app:1', 'name');
    assert.equal(status, 0, stderr);
    assert.match(
      stdout,
      /\ntagged {3}name\nobjects {2}1 (?:hardlinked|reflinked) \+ 0 copied \+ 0 already present objects;/,
    );
    const again = JSON.parse(pull('--json', '--local-fetch', 'zerocopy', 'containers-storage:app:1').stdout);
    assert.equal(again.via, 'store');
    assert.equal(again.tag, 'containers-storage:app:1');
    assert.equal(again.objects.copied, 0);
    const missing = pull('containers-storage:none');
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /Failed to find image none in any storage/);
    const wrong = pull('--local-fetch', 'sometimes', 'containers-storage:app:1');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /possible values: disabled, auto, zerocopy|\[possible values/);
  });
});

test('where few files may be open', { skip: process.geteuid?.() !== 0 && 'needs root' }, () => {
  withTempDir((directory) => {
    const tars = [1, 2].map((layer) => {
      const files = Array.from({ length: 600 }, (_, index) => [
        tarDirectory(`usr/${index % 50}/`),
        tarFile(`usr/${index % 50}/${index}`, Buffer.from(`${layer} ${index} `.repeat(30))),
      ]);
      return tarArchive(files.flat());
    });
    const builder = new StoreBuilder(join(directory, 'store'));
    builder.addImage(buildImage(tars), tars, ['localhost/many:1']);
    const repository = TestRepository.create(directory);
    const reference = `containers-storage:[overlay@${builder.root}+/run/x]many:1`;
    const command = [process.execPath, CFSCTL, '--insecure', '--repo', repository.path, 'oci', 'pull', '--json'];
    const { status, stdout, stderr } = spawnSync(
      'sh',
      ['-c', 'ulimit -n 128; exec "$@"', 'sh', ...command, '--progress', 'none', reference],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
    const { objects } = JSON.parse(stdout);
    assert.equal(objects.hardlinked + objects.reflinked, 1200);
  });
});
