import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findLayers } from '../../src/storage/find-layers.js';
import { lowerLayers } from '../../src/storage/layer-directory.js';
import { bigDataFileName, ContainerStore } from '../../src/storage/store.js';
import { lockStore } from '../../src/storage/store-lock.js';
import { buildImage } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { findInPath } from '../support/programs.js';
import { StoreBuilder } from '../support/store-builder.js';
import { tarArchive, tarFile } from '../support/tar-builder.js';

const TARS = [tarArchive([tarFile('a', 'one')]), tarArchive([tarFile('b', 'two')])];

function withStore<T>(action: (builder: StoreBuilder, store: ContainerStore) => T): T {
  return withTempDir((dir) => {
    const builder = new StoreBuilder(join(dir, 'store'));
    builder.addImage(buildImage(TARS), TARS, ['localhost/app:1']);
    const store = new ContainerStore(builder);
    return action(builder, store);
  });
}

test('file names of big data', () => {
  assert.equal(bigDataFileName('manifest'), 'manifest');
  assert.equal(
    bigDataFileName('sha256:6b601265dd2e0345484e8f357879c4a4b577ef69926091324db839afcadc06cb'),
    '=c2hhMjU2OjZiNjAxMjY1ZGQyZTAzNDU0ODRlOGYzNTc4NzljNGE0YjU3N2VmNjk5MjYwOTEzMjRkYjgzOWFmY2FkYzA2Y2I=',
  );
  assert.equal(bigDataFileName('..'), '=Li4=');
  assert.equal(bigDataFileName('A'), '=QQ==');
});

test('images, layers and big data', () => {
  withStore((_, store) => {
    const image = buildImage(TARS);
    const [record, ...others] = store.images();
    assert.deepEqual(others, []);
    assert.deepEqual(record?.names, ['localhost/app:1']);
    assert.equal(record?.digest, image.manifest.descriptor.digest);
    assert.equal(record?.created, '2026-01-02T03:04:05Z');
    assert.deepEqual(store.bigData(record?.id ?? '', 'manifest', 1 << 20), image.manifest.bytes);
    assert.deepEqual(store.bigData(record?.id ?? '', `sha256:${record?.id}`, 1 << 20), image.config.bytes);
    assert.equal(store.bigData(record?.id ?? '', 'other', 1 << 20), undefined);
    assert.equal(store.bigData('../overlay-layers', 'layers.json', 1 << 20), undefined);
    assert.throws(() => store.bigData(record?.id ?? '', 'manifest', 10), { code: 'FILE_TOO_LARGE' });
    const layers = store.layers();
    assert.deepEqual(
      layers.map(({ diffDigest, diffSize, isIncomplete }) => ({ diffDigest, diffSize, isIncomplete })),
      image.diffIds.map((diffDigest) => ({ diffDigest, diffSize: 2048, isIncomplete: false })),
    );
    assert.equal(layers[1]?.parent, layers[0]?.id);
    store.close();
  });
});

test('records that are none', () => {
  withStore((builder, store) => {
    const path = join(builder.root, 'overlay-layers', 'layers.json');
    const cases: readonly [content: string, message: RegExp][] = [
      ['{}', /layers.json: expected an array$/],
      ['[1]', /layers.json: field '0': expected an object$/],
      ['[{"id":"a","id":"b"}]', /layers.json$/],
      ['[{"id":"x"},{}]', /layers.json: missing field '1.id'$/],
      ['[{"id":"../x"}]', /layers.json: field '0.id': "..\/x" is no id$/],
      ['[{"id":"a","parent":1}]', /layers.json: field '0.parent': expected a string$/],
      ['[', /layers.json$/],
    ];
    for (const [content, message] of cases) {
      writeFileSync(path, content);
      assert.throws(() => store.layers(), { code: 'INVALID_STORE', message });
    }
    writeFileSync(path, '[{"id":"a","diff-size":-1,"parent":null,"flags":{"incomplete":true}}]');
    assert.deepEqual(store.layers(), [
      { id: 'a', parent: undefined, diffDigest: undefined, diffSize: undefined, isIncomplete: true },
    ]);
    writeFileSync(path, 'null');
    assert.deepEqual(store.layers(), []);
    truncateSync(path, 100 << 20);
    assert.throws(() => store.layers(), { code: 'FILE_TOO_LARGE' });
    rmSync(path);
    assert.deepEqual(store.layers(), []);
    mkdirSync(path);
    assert.throws(() => store.layers(), { code: 'INVALID_STORE' });
    rmSync(path, { recursive: true });
    symlinkSync('/etc/passwd', path);
    assert.throws(() => store.layers(), { code: 'ELOOP' });
    store.close();
  });
});

test('the layers below one are those that `lower` names, as far as they are there', () => {
  withStore((builder, store) => {
    const [first, second] = store.layers();
    assert.deepEqual(lowerLayers(store, second?.id ?? ''), [first?.id]);
    assert.deepEqual(lowerLayers(store, first?.id ?? ''), []);
    const set = (lower: string, link: string): string[] => {
      writeFileSync(join(builder.root, 'overlay', second?.id ?? '', 'lower'), lower);
      const path = join(builder.root, 'overlay', 'l', 'LINK');
      rmSync(path, { force: true });
      symlinkSync(link, path);
      return lowerLayers(store, second?.id ?? '');
    };
    assert.deepEqual(set('l/LINK:LINK:l/NONE:/x\n', '../some/diff'), ['some']);
    for (const link of ['diff', '../../diff', '/diff', '..']) assert.deepEqual(set('l/LINK', link), [], link);
    assert.deepEqual(set('l/../LINK:l/..:l/', '../some/diff'), []);
    store.close();
  });
});

test('layers are found by diff_id, complete ones first', () => {
  withStore((builder, store) => {
    const [first] = store.layers();
    const diffId = first?.diffDigest ?? '';
    builder.layers.push(
      { id: 'broken', 'diff-digest': diffId },
      { id: 'part', 'diff-digest': diffId, flags: { incomplete: true } },
    );
    builder.write();
    assert.deepEqual(
      [...findLayers([store], [diffId, 'sha256:none']).values()].map(({ record }) => record.id),
      [first?.id],
    );
    rmSync(builder.tarSplitPath(first?.id ?? ''));
    assert.equal(findLayers([store], [diffId]).get(diffId)?.record.id, 'broken');
    store.close();
  });
});

test('a store may be moved, and be somewhere a link leads to', () => {
  withStore((builder, store) => {
    store.close();
    renameSync(builder.root, `${builder.root}2`);
    symlinkSync(`${builder.root}2`, builder.root);
    const again = new ContainerStore(builder);
    assert.equal(again.images().length, 1);
    again.close();
  });
});

const PYTHON = findInPath('python3');

test('the lock keeps out writers and lets in readers', {
  skip: PYTHON === undefined && 'python3 is not installed',
}, async () => {
  await withStore(async (builder, store) => {
    const path = join(builder.root, 'overlay-layers', 'layers.lock');
    const first = await lockStore(store, 'layers');
    const second = await lockStore(store, 'layers');
    // As containers/storage locks it.
    const tryLock = (mode: string): string =>
      execFileSync(PYTHON ?? '', ['-c', LOCK, path, mode], { encoding: 'utf8' }).trim();
    assert.equal(tryLock('w'), 'busy');
    assert.equal(tryLock('r'), 'locked');
    // Closing another descriptor of the file must not give up the lock.
    closeSync(openSync(path, 'r'));
    first.close();
    assert.equal(tryLock('w'), 'busy');
    second.close();
    assert.equal(tryLock('w'), 'locked');
    store.close();
  });
});

test('the lock is waited for, until somebody calls it off', {
  skip: PYTHON === undefined && 'python3 is not installed',
}, async () => {
  await withStore(async (builder, store) => {
    const path = join(builder.root, 'overlay-images', 'images.lock');
    const holder = spawn(PYTHON ?? '', ['-c', `${LOCK}\nsys.stdout.flush()\nsys.stdin.read()`, path, 'w'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    const reason = new Error('called off');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(lockStore(store, 'images', { signal: controller.signal }), reason);
    let waits = 0;
    setTimeout(() => holder.stdin.end(), 1200);
    (await lockStore(store, 'images', { onWait: () => waits++ })).close();
    assert.equal(waits, 1);
    rmSync(path);
    (await lockStore(store, 'images')).close();
    store.close();
  });
});

const LOCK = `
import fcntl, sys
f = open(sys.argv[1], 'r+')
try:
    fcntl.lockf(f, (fcntl.LOCK_EX if sys.argv[2] == 'w' else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    print('locked')
except OSError:
    print('busy')
`;
