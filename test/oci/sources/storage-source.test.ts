import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ComposefsError, findCause, fullMessage } from '../../../src/errors.js';
import { newObjects } from '../../../src/oci/import/layer/import-stats.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { PullOptions, PullResult } from '../../../src/oci/import/pull-options.js';
import { OCI_INDEX } from '../../../src/oci/model/media-types.js';
import { RecordingReporter } from '../../../src/progress.js';
import { ContainerStore, lockStore, type StoreDriver } from '../../../src/storage/index.js';
import { bigDataFileName } from '../../../src/storage/store.js';
import { tempDir, tempRepository } from '../../composefs/repository/temp-repository.js';
import { blob, buildImage, LayoutBuilder, type TestImage } from '../../support/oci-fixtures.js';
import { type BuiltLayer, StoreBuilder } from '../../support/store-builder.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarHardlink } from '../../support/tar-builder.js';
import { pullOptions, put, startRegistry } from '../registry/registry-support.js';

const isRoot = process.geteuid?.() === 0;
/** Others read the store in a user namespace, which the interop tests do. */
const skip = !isRoot && 'needs root';

const TARS = [
  tarArchive(
    [
      tarDirectory('usr/'),
      tarFile('usr/64', Buffer.alloc(64, 1)),
      tarFile('usr/65', Buffer.alloc(65, 2)),
      tarFile('usr/large', Buffer.alloc(9 << 20, 3)),
      tarHardlink('usr/link', 'usr/65'),
      tarFile(Buffer.from('usr/\xff', 'latin1'), Buffer.alloc(100, 4)),
    ],
    10240,
  ),
  tarArchive([paxHeader([['path', 'usr/second']]), tarFile('x', Buffer.alloc(5000, 5)), tarFile('usr/.wh.64', '')]),
];

interface Setup {
  readonly image: TestImage;
  readonly builder: StoreBuilder;
  readonly layers: readonly BuiltLayer[];
  readonly pull: (reference: string, options?: PullOptions) => Promise<PullResult>;
}

function setup(context: TestContext, names: readonly string[] = ['localhost/app:1'], driver?: StoreDriver): Setup {
  const builder = new StoreBuilder(join(tempDir(context), 'store'), driver);
  const image = buildImage(TARS);
  const layers = builder.addImage(image, TARS, names);
  const options = pullOptions(context, {
    stores: { root: builder.root },
    platform: { os: 'linux', architecture: 'amd64' },
  });
  return {
    image,
    builder,
    layers,
    pull: async (reference, more = {}) => {
      const repo = await tempRepository(context);
      return await pull(repo, `containers-storage:${reference}`, 'tag', { ...options, ...more });
    },
  };
}

/** What a pull of the image from a layout gives. */
async function fromLayout(context: TestContext, image: TestImage): Promise<PullResult> {
  const path = new LayoutBuilder().addImage(image, { tag: 'a' }).write(join(tempDir(context), 'layout'));
  return await pull(await tempRepository(context), `oci:${path}:a`, 'tag', pullOptions(context));
}

for (const driver of ['overlay', 'vfs'] as const) {
  test(`an image in a store of ${driver} is that of a layout, and nothing of it is copied`, {
    skip,
  }, async (context) => {
    const { image, pull } = setup(context, undefined, driver);
    const expected = await fromLayout(context, image);
    const found = await pull('localhost/app:1');
    for (const key of ['manifestDigest', 'manifestVerity', 'configDigest', 'configVerity', 'images'] as const) {
      assert.deepEqual(found[key], expected[key], key);
    }
    assert.deepEqual(
      found.layers.map(({ key, blob }) => [key, blob]),
      expected.layers.map(({ key, blob }) => [key, blob]),
    );
    assert.equal(found.via, 'store');
    assert.equal(expected.via, 'files');
    const { stats } = found;
    // What a repository on the same file system need not copy: 65, 100 and 5000 bytes, and 9 MiB.
    assert.equal(stats.objectsHardlinked + stats.objectsReflinked, 4);
    assert.equal(stats.bytesHardlinked + stats.bytesReflinked, 65 + 100 + 5000 + (9 << 20));
    assert.equal(stats.objectsCopied, 0);
    assert.equal(stats.bytesInlined, expected.stats.bytesInlined);
    assert.equal(newObjects(stats), newObjects(expected.stats));
  });
}

test('files of all sizes, and more than are open at a time', { skip }, async (context) => {
  const sizes = [0, 1, 64, 65, 511, 512, 513, 1 << 19, (1 << 19) + 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 20 << 20];
  const files = sizes.map((size, index) => tarFile(`sizes/${index}`, Buffer.alloc(size, index + 1)));
  const many = Array.from({ length: 700 }, (_, index) => tarFile(`many/${index}`, Buffer.from(`${index} `.repeat(40))));
  const twice = Array.from({ length: 300 }, (_, index) => tarFile(`twice/${index}`, Buffer.alloc(100, index % 3)));
  const tars = [tarArchive([...files, ...many.slice(0, 300)]), tarArchive([...many.slice(300), ...twice])];
  const image = buildImage(tars);
  const builder = new StoreBuilder(join(tempDir(context), 'store'));
  builder.addImage(image, tars, ['localhost/app:1']);
  const repo = await tempRepository(context);
  const open = readdirSync('/proc/self/fd').length;
  const found = await pull(
    repo,
    'containers-storage:localhost/app:1',
    'tag',
    pullOptions(context, { stores: { root: builder.root }, platform: { os: 'linux', architecture: 'amd64' } }),
  );
  assert.equal(readdirSync('/proc/self/fd').length, open);
  const expected = await fromLayout(context, image);
  assert.equal(found.manifestVerity, expected.manifestVerity);
  assert.deepEqual(found.images, expected.images);
  // 10 of more than 64 bytes, 700 that differ, and 3 of which there are 100 each.
  assert.equal(newObjects(found.stats), 10 + 700 + 3);
  assert.equal(found.stats.objectsAlreadyPresent, 297);
  assert.equal(found.stats.objectsCopied, 0);
  assert.equal(found.stats.bytesInlined, expected.stats.bytesInlined);
});

test('every way to name it, and what there is not', { skip }, async (context) => {
  const { image, builder, pull } = setup(context, ['quay.io/team/app:1']);
  const config = image.config.descriptor.digest;
  const { digest } = image.manifest.descriptor;
  for (const name of [
    'app:1',
    'team/app:1',
    config,
    `@${config.slice(7)}`,
    config.slice(7, 20),
    digest,
    `app@${digest}`,
  ]) {
    assert.equal((await pull(name)).manifestDigest, digest, name);
  }
  assert.equal((await pull(`[overlay@${builder.root}+/run/x]app:1`, { stores: {} })).manifestDigest, digest);
  await assert.rejects(pull('app'), (error) => {
    const cause = findCause(error, ComposefsError);
    assert.equal(
      fullMessage(error),
      'Unable to pull container image containers-storage:app: Opening image: Failed to find image app in any storage',
    );
    assert.equal(cause?.code, 'IMAGE_NOT_IN_STORE');
    return true;
  });
  await assert.rejects(pull('[/no/such]app', { stores: {} }), { code: 'STORE_NOT_FOUND' });
});

test('a place that is no store stays as it is', { skip }, async (context) => {
  const { builder, pull } = setup(context);
  const empty = join(tempDir(context), 'empty');
  mkdirSync(empty);
  // skopeo would make a store of it.
  await assert.rejects(pull(`[${empty}]app`, { stores: {} }), { code: 'INVALID_STORE' });
  await assert.rejects(pull(`[vfs@${builder.root}]app`, { stores: {} }), { code: 'INVALID_STORE' });
  assert.deepEqual(readdirSync(empty), []);
});

test('a second pull makes nothing new, and layers of other stores are found', { skip }, async (context) => {
  const { image, builder } = setup(context);
  const other = new StoreBuilder(join(tempDir(context), 'other'), 'vfs');
  // The image is in one store and its second layer in the other.
  const [, second] = TARS;
  other.addLayer(second ?? Buffer.alloc(0));
  const [, record] = builder.layers;
  builder.layers.splice(builder.layers.indexOf(record ?? {}), 1);
  builder.write();
  const stores = { root: builder.root, additionalImageStores: [other.root] };
  const repo = await tempRepository(context);
  const options = pullOptions(context, { stores });
  const first = await pull(repo, 'containers-storage:app:1', 'tag', options);
  assert.equal(first.manifestDigest, image.manifest.descriptor.digest);
  assert.equal(newObjects(first.stats), 4);
  const again = await pull(repo, 'containers-storage:app:1', 'tag', options);
  assert.equal(newObjects(again.stats), 0);
  assert.equal(again.stats.layersAlreadyPresent, 2);
  assert.equal(again.manifestVerity, first.manifestVerity);
  const tag = readlinkSync(join(repo.path, 'streams', 'refs', 'oci', 'tag'));
  assert.match(tag, /oci-manifest-sha256:/);
});

test('a changed file is named; nothing is stored under a diff_id that is not its own', { skip }, async (context) => {
  const { layers, pull } = setup(context);
  const [layer] = layers;
  writeFileSync(join(layer?.directory ?? '', 'usr', '65'), Buffer.alloc(65, 9));
  await assert.rejects(pull('app:1'), (error) => {
    assert.match(fullMessage(error), new RegExp(`file "usr/65" of layer ${layer?.id} has another content$`));
    assert.equal(findCause(error, ComposefsError)?.code, 'LAYER_FILE_CHANGED');
    return true;
  });
  rmSync(join(layer?.directory ?? '', 'usr', 'large'));
  await assert.rejects(pull('app:1'), { code: 'LAYER_FILE_CHANGED' });
});

test('what the store has not any more as it came is fetched from the registry', { skip }, async (context) => {
  const registry = await startRegistry(context);
  const { image, layers, pull } = setup(context, [registry.reference('team/app').replace('docker://', '')]);
  put(registry, 'team/app', image);
  const expected = await fromLayout(context, image);
  rmSync(join(layers[0]?.directory ?? '', 'usr', '65'));
  const progress = new RecordingReporter();
  const found = await pull(`@${image.config.descriptor.digest.slice(7)}`, { progress });
  assert.equal(found.manifestDigest, expected.manifestDigest);
  assert.deepEqual(found.images, expected.images);
  // Only that layer.
  const urls = registry.requests.map(({ url }) => url).filter((url) => url.includes('/blobs/'));
  assert.deepEqual(urls, [`/v2/team/app/blobs/${image.layers[0]?.descriptor.digest}`]);
  const messages = progress.events.flatMap((event) => (event.type === 'message' ? [event.text] : []));
  assert.equal(
    messages.filter((text) => /file "usr\/65" of layer [0-9a-f]{64} is missing; reading layer/.test(text)).length,
    1,
  );
  // Who wants no copies wants none from there.
  await assert.rejects(pull('app', { localFetch: 'zero-copy' }), { code: 'LAYER_FILE_CHANGED' });
});

test('where there is no registry the error is that of the store', { skip }, async (context) => {
  const { layers, pull } = setup(context, ['127.0.0.1:1/team/app:1']);
  rmSync(join(layers[0]?.directory ?? '', 'usr', '65'));
  const progress = new RecordingReporter();
  await assert.rejects(pull('app:1', { progress }), { code: 'LAYER_FILE_CHANGED' });
  const messages = progress.events.flatMap((event) => (event.type === 'message' ? [event.text] : []));
  assert.equal(messages.filter((text) => text.startsWith('It cannot be had from elsewhere: ')).length, 1);
});

test('zero-copy refuses what it cannot link', { skip }, async (context) => {
  const { builder, layers, pull } = setup(context);
  await pull('app:1', { localFetch: 'zero-copy' });
  // Another user can change the store, so that nothing of it is linked without fs-verity.
  chmodSync(builder.root, 0o777);
  const { stats } = await pull('app:1');
  assert.equal(stats.objectsHardlinked, 0);
  assert.equal(stats.objectsCopied + stats.objectsReflinked, 4);
  assert.equal(statSync(join(layers[0]?.directory ?? '', 'usr', '65')).nlink, 2);
  if (stats.objectsReflinked > 0) return;
  await assert.rejects(pull('app:1', { localFetch: 'zero-copy' }), (error) => {
    assert.match(
      fullMessage(error),
      /Failed to store object for "usr\/.*zerocopy mode\): a hard link is refused: others may be able to change it$/,
    );
    return true;
  });
});

test('of a list of several images the one for the platform', { skip }, async (context) => {
  const { image, builder, pull } = setup(context);
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ ...image.manifest.descriptor, platform: { os: 'linux', architecture: 'amd64' } }],
    }),
  );
  const { digest } = blob(OCI_INDEX, index).descriptor;
  const id = 'f'.repeat(64);
  const directory = join(builder.root, 'overlay-images', id);
  builder.images.push({
    id,
    names: ['localhost/list:1'],
    digest,
    'big-data-names': ['manifest', `manifest-${digest}`],
  });
  builder.write();
  mkdirSync(directory);
  for (const key of ['manifest', `manifest-${digest}`]) writeFileSync(join(directory, bigDataFileName(key)), index);
  assert.equal((await pull('list:1')).manifestDigest, image.manifest.descriptor.digest);
  await assert.rejects(pull('list:1', { platform: { os: 'linux', architecture: 's390x' } }), {
    code: 'PLATFORM_NOT_FOUND',
  });
});

test('a config that the store has lost is named, with what helps', { skip }, async (context) => {
  const { image, builder, pull } = setup(context);
  const { digest } = image.config.descriptor;
  rmSync(join(builder.root, 'overlay-images', digest.replace('sha256:', ''), bigDataFileName(digest)));
  await assert.rejects(pull('app:1'), (error) => {
    assert.match(fullMessage(error), new RegExp(`: ${digest} is not in the store ${builder.root}$`));
    assert.ok(error instanceof ComposefsError);
    assert.equal(error.hint, 'pull the image with podman again, after `podman rmi`');
    return true;
  });
});

test('locks and descriptors are given back, whatever happens', { skip }, async (context) => {
  const { builder, layers, pull } = setup(context);
  await pull('app:1');
  const before = readdirSync('/proc/self/fd').length;
  await pull('app:1');
  rmSync(join(layers[0]?.directory ?? '', 'usr', '65'));
  await assert.rejects(pull('app:1'));
  await assert.rejects(pull('none'));
  const controller = new AbortController();
  const aborted = pull('app:1', { signal: controller.signal });
  controller.abort(new Error('called off'));
  await assert.rejects(aborted, /called off/);
  const held = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  assert.deepEqual(
    held.filter((path) => path.startsWith(builder.root)),
    [],
  );
  assert.ok(before > 0);
  const store = new ContainerStore(builder);
  (await lockStore(store, 'layers')).close();
  store.close();
});
