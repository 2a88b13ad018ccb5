import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openStores } from '../../src/storage/open-stores.js';
import { loadStorageConf } from '../../src/storage/storage-conf.js';
import type { StorageEnvironment } from '../../src/storage/storage-environment.js';
import { driversOf } from '../../src/storage/store.js';
import { imageStoreOptions, storeLocations } from '../../src/storage/store-locations.js';
import { parseStoreReference } from '../../src/storage/store-reference.js';
import { withTempDir } from '../support/paths.js';
import { StoreBuilder } from '../support/store-builder.js';

function environment(dir: string, overrides: Partial<StorageEnvironment> = {}): StorageEnvironment {
  return {
    variables: {},
    home: join(dir, 'home'),
    uid: 1000,
    isRoot: false,
    etc: join(dir, 'etc'),
    usrShare: join(dir, 'usr', 'share'),
    systemStore: join(dir, 'system'),
    ...overrides,
  };
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

test('for root the file of /etc hides that of /usr/share', () => {
  withTempDir((dir) => {
    const root = environment(dir, { isRoot: true, uid: 0 });
    assert.deepEqual(loadStorageConf(root), {
      path: undefined,
      isNamed: false,
      driver: undefined,
      graphRoot: undefined,
      runRoot: undefined,
      imageStores: [],
    });
    write(join(root.usrShare, 'containers/storage.conf'), '[storage]\ndriver = "vfs"\ngraphroot = "/usr-root"\n');
    assert.equal(loadStorageConf(root).graphRoot, '/usr-root');
    write(
      join(root.etc, 'containers/storage.conf'),
      `[storage]
driver = "overlay"
graphroot = "/etc-root"
runroot = "/run/x"
imagestore = "/images"
unknown = 1
[storage.options]
additionalimagestores = ["/a", "/b",]
[storage.options.overlay]
mountopt = "nodev"
`,
    );
    assert.deepEqual(loadStorageConf(root), {
      path: join(root.etc, 'containers/storage.conf'),
      isNamed: false,
      driver: 'overlay',
      graphRoot: '/etc-root',
      runRoot: '/run/x',
      imageStores: ['/images', '/a', '/b'],
    });
  });
});

test("for a user the own file counts, and of the system's what is for all", () => {
  withTempDir((dir) => {
    const user = environment(dir, { variables: { BASE: '/srv' } });
    const system = `[storage]
graphroot = "/etc-root"
rootless_storage_path = "\${BASE}/$UID$HOME/s"
[storage.options]
additionalimagestores = ["/shared"]
`;
    write(join(user.etc, 'containers/storage.conf'), system);
    const rootless = loadStorageConf(user);
    assert.equal(rootless.graphRoot, `/srv/1000${user.home}/s`);
    assert.deepEqual(rootless.imageStores, ['/shared']);
    write(join(dir, 'home/.config/containers/storage.conf'), '[storage]\ngraphroot = "$HOME/own"\n');
    const own = loadStorageConf(user);
    assert.equal(own.graphRoot, `${user.home}/own`);
    assert.equal(own.path, join(dir, 'home/.config/containers/storage.conf'));
    const elsewhere = environment(dir, { variables: { XDG_CONFIG_HOME: join(dir, 'config') } });
    write(join(dir, 'config/containers/storage.conf'), '[storage]\ngraphroot = "/xdg"\n');
    assert.equal(loadStorageConf(elsewhere).graphRoot, '/xdg');
  });
});

test('a file that the environment names, and files that are none', () => {
  withTempDir((dir) => {
    const named = (path: string): StorageEnvironment =>
      environment(dir, { variables: { CONTAINERS_STORAGE_CONF: path } });
    const path = join(dir, 'named.conf');
    assert.throws(() => loadStorageConf(named(path)), {
      code: 'INVALID_STORAGE_CONF',
      message: `${path}: there is no such file`,
    });
    write(path, '[storage]\ngraphroot = "/named"\n');
    assert.equal(loadStorageConf(named(path)).graphRoot, '/named');
    write(path, '[storage\n');
    assert.throws(() => loadStorageConf(named(path)), { code: 'INVALID_STORAGE_CONF', message: /line 1, column 9/ });
    write(path, '[storage]\ngraphroot = 5\n');
    assert.throws(() => loadStorageConf(named(path)), { message: `${path}: storage.graphroot: expected a string` });
    write(path, `[storage]\n# ${'x'.repeat(1 << 20)}`);
    assert.throws(() => loadStorageConf(named(path)), { message: `${path} cannot be read` });
    assert.throws(() => loadStorageConf(named(dir)), { code: 'INVALID_STORAGE_CONF' });
  });
});

test('stores are looked for in the order of the specification', () => {
  withTempDir((dir) => {
    const conf = join(dir, 'etc/containers/storage.conf');
    write(
      conf,
      '[storage]\ndriver = "vfs"\ngraphroot = "/conf"\n[storage.options]\nadditionalimagestores = ["/more"]\n',
    );
    const variables = {
      CONTAINERS_STORAGE_ROOT: '/variable',
      XDG_DATA_HOME: '/data',
      STORAGE_OPTS: 'overlay.mountopt=nodev, additionalimagestore=/opts ,overlay.imagestore=/opts2',
    };
    const root = environment(dir, { isRoot: true, uid: 0, variables });
    const home = join(dir, 'home/.local/share/containers/storage');
    assert.deepEqual(
      storeLocations({ additionalImageStores: ['/given', '/opts'] }, root).map((place) => place.root),
      [
        '/variable',
        '/data/containers/storage',
        home,
        '/conf',
        '/more',
        join(dir, 'system'),
        '/opts',
        '/opts2',
        '/given',
      ],
    );
    const named = environment(dir, { variables: { CONTAINERS_STORAGE_CONF: conf } });
    assert.deepEqual(
      storeLocations({}, named).map((place) => place.root),
      ['/conf', '/more', home, join(dir, 'system')],
    );
    assert.equal(storeLocations({}, named)[0]?.driver, 'vfs');
    const driver = environment(dir, { variables: { CONTAINERS_STORAGE_CONF: conf, STORAGE_DRIVER: 'overlay' } });
    assert.equal(storeLocations({}, driver)[0]?.driver, 'overlay');
    assert.deepEqual(
      storeLocations({ root: '/only', additionalImageStores: ['/and'] }, root).map((place) => place.root),
      ['/only', '/and'],
    );
    symlinkSync(join(dir, 'system'), join(dir, 'same'));
    mkdirSync(join(dir, 'system'));
    const twice = environment(dir, { home: undefined, variables: { CONTAINERS_STORAGE_ROOT: join(dir, 'same') } });
    assert.deepEqual(
      storeLocations({}, twice).map((place) => place.root),
      [join(dir, 'same'), '/more'],
    );
  });
});

test('options that name image stores', () => {
  assert.deepEqual(imageStoreOptions(''), []);
  assert.deepEqual(imageStoreOptions('additionalimagestore=/a,additionalimagestore=/b'), ['/a', '/b']);
  assert.deepEqual(imageStoreOptions('overlay.mount_program=/usr/bin/fuse-overlayfs'), []);
  assert.deepEqual(imageStoreOptions('vfs.imagestore=/c,imagestore=/d,additionalimagestore='), ['/c', '/d']);
});

test('references', () => {
  const cases: readonly [text: string, store: object, image: string][] = [
    ['alpine:1', {}, 'alpine:1'],
    ['@abc', {}, '@abc'],
    ['[/r]a', { root: '/r', additionalImageStores: [] }, 'a'],
    ['[overlay@/r]a@sha256:b', { root: '/r', driver: 'overlay', additionalImageStores: [] }, 'a@sha256:b'],
    [
      '[vfs@/r+/run/r:additionalimagestore=/x,vfs.y=z]a:1',
      { root: '/r', driver: 'vfs', additionalImageStores: ['/x'] },
      'a:1',
    ],
  ];
  for (const [text, store, image] of cases) assert.deepEqual(parseStoreReference(text), { store, image }, text);
  for (const text of ['', '[', '[/r', '[/r]', '@', '[x/y@/r]a', '[r]a', '[overlay@r]a']) {
    assert.throws(() => parseStoreReference(text), { code: 'INVALID_STORE_REFERENCE' }, text);
  }
});

test('what is no store is told why', () => {
  withTempDir((dir) => {
    const user = environment(dir, { home: undefined });
    const open = (root: string, driver?: string): unknown => openStores({ root, driver }, user);
    assert.throws(() => open('/no/such'), {
      code: 'STORE_NOT_FOUND',
      message: 'Could not open any containers-storage root: storage root not found at /no/such',
    });
    const root = join(dir, 'store');
    mkdirSync(join(root, 'overlay'), { recursive: true });
    assert.throws(() => open(root), {
      code: 'INVALID_STORE',
      message: /invalid storage: Missing required directory: overlay-layers$/,
    });
    writeFileSync(join(root, 'db.sql'), 'SQLite format 3');
    assert.throws(() => driversOf(root), {
      message: 'invalid storage: Missing required directory: overlay-layers',
      hint: "podman's database is there, but it holds no images: they are in the graph root that `podman info` names",
    });
    mkdirSync(join(root, 'btrfs-layers'));
    const isBtrfs = { code: 'STORE_DRIVER_UNSUPPORTED', message: /the driver btrfs cannot be read$/ };
    assert.throws(() => open(root), isBtrfs);
    new StoreBuilder(root);
    new StoreBuilder(root, 'vfs');
    const both = openStores({ root }, user);
    assert.deepEqual(
      both.stores.map(({ driver }) => driver),
      ['overlay', 'vfs'],
    );
    both.close();
    const one = openStores({ root, driver: 'vfs' }, user);
    assert.deepEqual(
      one.stores.map(({ driver }) => driver),
      ['vfs'],
    );
    one.close();
    assert.throws(() => open(root, 'btrfs'), isBtrfs);
    assert.throws(() => open(root, 'zfs'), {
      code: 'INVALID_STORE',
      message: /it is a store of overlay and vfs, not of zfs$/,
    });
    // As a user's configuration names a driver that the store has nothing of any more.
    const conf = join(dir, 'x.conf');
    write(conf, `[storage]\ndriver = "vfs"\ngraphroot = "${root}"\n`);
    const opened = openStores({}, environment(dir, { home: undefined, variables: { CONTAINERS_STORAGE_CONF: conf } }));
    assert.deepEqual(
      opened.stores.map(({ driver }) => driver),
      ['vfs', 'overlay'],
    );
    opened.close();
  });
});
