import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CFSCTL, cfsctl } from '../support/cfsctl.js';
import { buildImage, LayoutBuilder, type TestImage } from '../support/oci-fixtures.js';
import { sharedPath, withTempDir } from '../support/paths.js';
import { findInPath, referenceCfsctl, runProgram } from '../support/programs.js';
import { startDockerRegistry, without } from '../support/servers.js';
import {
  gnuLongName,
  paxHeader,
  tarArchive,
  tarDirectory,
  tarEntry,
  tarFifo,
  tarFile,
  tarHardlink,
  tarSymlink,
} from '../support/tar-builder.js';

/**
 * Images that real programs have put into stores: what a pull makes of them is what it makes of the same image in a layout,
 * and what the reference makes of the store.
 */

/** A program as a command line; that of Debian testing where the shared tools are. */
interface Engine {
  readonly name: string;
  readonly command: readonly string[];
}

function engines(): Engine[] {
  const own = ['podman', 'skopeo'].filter((name) => findInPath(name) !== undefined);
  const testing = sharedPath('tools', 'debian-testing');
  return [
    ...own.map((name) => ({ name, command: [name] })),
    ...(testing === undefined ? [] : [{ name: 'podman of Debian testing', command: [testing, '--', 'podman'] }]),
  ];
}

const skip =
  process.geteuid?.() !== 0
    ? 'making stores needs root'
    : engines().length === 0
      ? 'neither podman nor skopeo is installed'
      : false;

const DRIVERS = ['overlay', 'vfs'] as const;

function run([program = '', ...start]: readonly string[], ...args: string[]): string {
  return runProgram(program, [...start, ...args])
    .toString('utf8')
    .trim();
}

/** A store of its own; what the engine has left mounted is taken away. The engines want short paths. */
class TestStore {
  readonly #directory = mkdtempSync(join(tmpdir(), 'cs-'));
  readonly root: string = join(this.#directory, 's');
  readonly runRoot: string = join(this.#directory, 'r');
  readonly driver: string;

  constructor(driver: string) {
    this.driver = driver;
  }

  remove(): void {
    spawnSync('umount', ['-l', join(this.root, this.driver)]);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get options(): string[] {
    return ['--root', this.root, '--runroot', this.runRoot, '--storage-driver', this.driver];
  }

  /** In the words of containers/image. */
  reference(name: string): string {
    return `containers-storage:[${this.driver}@${this.root}+${this.runRoot}]${name}`;
  }

  add({ name, command }: Engine, source: string, as: string): void {
    if (name === 'skopeo') run(command, '--insecure-policy', 'copy', '--quiet', source, this.reference(as));
    else {
      const id =
        run([...command, ...this.options], 'pull', '--quiet', source)
          .split('\n')
          .at(-1) ?? '';
      run([...command, ...this.options], 'tag', id, as);
    }
  }
}

async function withStore<T>(driver: string, action: (store: TestStore) => T): Promise<Awaited<T>> {
  const store = new TestStore(driver);
  try {
    return await action(store);
  } finally {
    store.remove();
  }
}

/** What a repository has after a pull of one image. */
interface Pulled {
  readonly manifest: string;
  readonly config: string;
  readonly layers: readonly string[];
  /** Links of `streams/`, but that of the manifest: to what they lead. */
  readonly streams: Readonly<Record<string, string>>;
  readonly images: readonly string[];
  readonly objects: { readonly copied: number; readonly hardlinked: number; readonly reflinked: number };
}

function pull(directory: string, name: string, reference: string, ...options: string[]): Pulled {
  const repo = join(directory, name);
  const call = (...args: string[]): string => {
    const { status, stdout, stderr } = cfsctl(['--repo', repo, ...args]);
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  call('init', '--insecure');
  const result = JSON.parse(call('oci', 'pull', '--json', '--progress', 'none', ...options, reference, 'image'));
  assert.match(call('oci', 'fsck'), /status: ok/);
  return {
    manifest: result.manifest_digest,
    config: result.config_digest,
    layers: result.layers.map(({ id }: { id: string }) => id),
    images: result.images.map(({ id }: { id: string }) => id),
    objects: result.objects,
    streams: streamsOf(repo),
  };
}

/** The reference's manifest stream has its references in another order than that of its own pulls from elsewhere. */
function streamsOf(repo: string): Record<string, string> {
  const streams = join(repo, 'streams');
  const names = readdirSync(streams).filter((name) => /^oci-(?:layer|config)-/.test(name));
  return Object.fromEntries(names.sort().map((name) => [name, readlinkSync(join(streams, name))]));
}

function assertSame(found: Pulled, expected: Pulled, message: string): void {
  assert.deepEqual({ ...found, objects: undefined }, { ...expected, objects: undefined }, message);
}

/** podman makes a name of the path, so that it must be in lower case. */
async function withLayout<T>(image: TestImage, action: (source: string) => T): Promise<Awaited<T>> {
  const path = join(tmpdir(), `cs-layout-${process.pid}`);
  try {
    return await action(`oci:${new LayoutBuilder().addImage(image, { tag: 'image' }).write(path)}:image`);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Layers with what the drivers of stores treat in ways of their own. */
function oddTars(): Buffer[] {
  const usr = tarDirectory('usr/');
  const base = tarArchive(
    [
      usr,
      tarFile('usr/empty', ''),
      tarFile('usr/64', Buffer.alloc(64, 1)),
      tarFile('usr/65', Buffer.alloc(65, 2)),
      tarFile('usr/4096', Buffer.alloc(4096, 3), { mode: 0o4755 }),
      tarFile('usr/private', Buffer.alloc(5000, 4), { mode: 0o600, uid: 5, gid: 42 }),
      tarFile('usr/large', Buffer.alloc(9 << 20, 5)),
      tarFile(Buffer.from('usr/n\xff\xfe', 'latin1'), Buffer.alloc(100, 6)),
      tarFile('usr/tab\tnewline\n"quote"', Buffer.alloc(100, 7)),
      tarHardlink('usr/link', 'usr/65'),
      tarSymlink('usr/symlink', '65'),
      tarFifo('usr/fifo'),
      paxHeader([
        ['SCHILY.xattr.user.test', Buffer.from([0, 1, 2, 255])],
        ['mtime', '1700000000.123456789'],
      ]),
      tarFile('usr/xattr', Buffer.alloc(300, 8)),
      gnuLongName(`usr/${'long'.repeat(60)}`),
      tarFile('usr/long', Buffer.alloc(200, 9), { format: 'gnu' }),
      tarFile('usr/deleted', Buffer.alloc(70, 10)),
      tarDirectory('usr/opaque/'),
      tarFile('usr/opaque/hidden', Buffer.alloc(70, 11)),
    ],
    10240,
  );
  const upper = tarArchive([
    usr,
    tarFile('usr/.wh.deleted', ''),
    tarDirectory('usr/opaque/'),
    tarFile('usr/opaque/.wh..wh..opq', ''),
    tarFile('usr/opaque/shown', Buffer.alloc(70, 12)),
    tarFile('usr/65', Buffer.alloc(66, 13)),
    // What follows a file up to the next block need not be zeros.
    Buffer.concat([tarEntry({ name: 'usr/padding', size: 100 }, Buffer.alloc(512, 14))]),
  ]);
  return [base, upper];
}

test('what engines have pulled is what a layout has', { skip }, async () => {
  const image = buildImage(oddTars());
  const check = async (directory: string, source: string): Promise<void> => {
    const expected = pull(directory, 'expected', source);
    assert.deepEqual(expected.layers, image.diffIds);
    for (const engine of engines()) {
      for (const driver of DRIVERS) {
        const place = join(directory, engine.name.replaceAll(' ', '-'), driver);
        mkdirSync(place, { recursive: true });
        await withStore(driver, (store) => {
          store.add(engine, source, 'localhost/odd:1');
          const pulled = pull(place, 'pulled', store.reference('localhost/odd:1'));
          assertSame(pulled, expected, `${engine.name}, ${driver}`);
          assert.equal(pulled.objects.copied, 0);
          const byId = pull(place, 'by-id', store.reference(`@${image.config.descriptor.digest.slice(7)}`));
          assertSame(byId, expected, 'by id');
          const zeroCopy = pull(place, 'zerocopy', store.reference('odd:1'), '--local-fetch', 'zerocopy');
          assertSame(zeroCopy, expected, 'zerocopy');
        });
      }
    }
  };
  await withTempDir((directory) => withLayout(image, (source) => check(directory, source)));
});

test('an image of 120 layers', { skip }, async () => {
  const tars = Array.from({ length: 120 }, (_, index) =>
    tarArchive([tarDirectory('usr/'), tarFile(`usr/${index}`, Buffer.alloc(100 + index, index))]),
  );
  const check = async (directory: string, source: string): Promise<void> => {
    const expected = pull(directory, 'expected', source);
    const [engine] = engines();
    if (engine === undefined) return;
    await withStore('overlay', (store) => {
      store.add(engine, source, 'localhost/deep:1');
      const pulled = pull(directory, 'pulled', store.reference('localhost/deep:1'));
      assertSame(pulled, expected, engine.name);
      const reference = referenceCfsctl();
      if (reference === undefined) return;
      assert.deepEqual(pullByReference(reference, directory, store, 'localhost/deep:1'), pulled.streams);
    });
  };
  await withTempDir((directory) => withLayout(buildImage(tars), (source) => check(directory, source)));
});

/** Its links of layers and config. */
function pullByReference(program: string, directory: string, store: TestStore, name: string): Record<string, string> {
  const repo = join(directory, 'reference');
  runProgram(program, ['--repo', repo, 'init', '--insecure']);
  const before = process.env['CONTAINERS_STORAGE_ROOT'];
  process.env['CONTAINERS_STORAGE_ROOT'] = store.root;
  try {
    runProgram(program, [
      '--repo',
      repo,
      'oci',
      'pull',
      '--local-fetch',
      'auto',
      `containers-storage:${name}`,
      'image',
    ]);
  } finally {
    if (before === undefined) delete process.env['CONTAINERS_STORAGE_ROOT'];
    else process.env['CONTAINERS_STORAGE_ROOT'] = before;
  }
  return streamsOf(repo);
}

const withoutBuilders =
  skip ||
  (['podman', 'buildah'].every((name) => findInPath(name) !== undefined) ? false : 'podman or buildah is missing');

test('what was built and committed in the store', { skip: withoutBuilders }, async () => {
  const build = (directory: string, store: TestStore): void => {
    const podman = (...args: string[]): string => run(['podman', ...store.options], ...args);
    const buildah = (...args: string[]): string => run(['buildah', ...store.options], ...args);
    const files = join(directory, 'files');
    mkdirSync(join(files, 'usr'), { recursive: true });
    writeFileSync(join(files, 'usr', 'one'), Buffer.alloc(1000, 1));
    const first = buildah('from', 'scratch');
    buildah('copy', '--quiet', first, files, '/');
    buildah('commit', '--quiet', first, 'localhost/built:1');
    writeFileSync(join(files, 'usr', 'two'), Buffer.alloc(2000, 2));
    const second = buildah('from', '--pull-never', 'localhost/built:1');
    buildah('copy', '--quiet', second, files, '/');
    buildah('commit', '--quiet', second, 'localhost/built:2');
    buildah('commit', '--quiet', '--squash', second, 'localhost/squashed:1');
    const container = podman('create', 'localhost/built:2', '/nothing');
    writeFileSync(join(files, 'three'), Buffer.alloc(3000, 3));
    podman('cp', join(files, 'three'), `${container}:/usr/three`);
    podman('commit', '--quiet', container, 'localhost/committed:1');
    const layers: Record<string, number> = { 'built:1': 1, 'built:2': 2, 'squashed:1': 1, 'committed:1': 3 };
    for (const [name, count] of Object.entries(layers)) {
      const place = join(directory, name.replace(':', '-'));
      mkdirSync(place);
      const copy = join(place, 'copy');
      run(
        ['skopeo'],
        '--insecure-policy',
        'copy',
        '--quiet',
        store.reference(`localhost/${name}`),
        `oci:${copy}:image`,
      );
      const expected = pull(place, 'expected', `oci:${copy}:image`);
      const pulled = pull(place, 'pulled', store.reference(`localhost/${name}`));
      assert.equal(pulled.layers.length, count, name);
      // The copy is compressed, so that its manifest is another one.
      assertSame({ ...pulled, manifest: '' }, { ...expected, manifest: '' }, name);
      const reference = referenceCfsctl();
      if (reference !== undefined) {
        assert.deepEqual(pullByReference(reference, place, store, `localhost/${name}`), pulled.streams, name);
      }
    }
  };
  await withTempDir((directory) => withStore('overlay', (store) => build(directory, store)));
});

test('hard links from one layer to another', { skip: withoutBuilders }, async () => {
  const base = tarArchive([tarDirectory('usr/'), tarFile('usr/below', Buffer.alloc(5000, 1))]);
  const linking = tarArchive([
    tarDirectory('usr/'),
    tarHardlink('usr/link', 'usr/below'),
    tarFile('usr/own', Buffer.alloc(100, 2)),
  ]);
  await withTempDir(async (directory) => {
    const place = (name: string): string => {
      const path = join(directory, name);
      mkdirSync(path);
      return path;
    };
    // podman unpacks each layer by itself with overlay, so that it refuses such an image; with vfs it does not.
    await withLayout(buildImage([base, linking]), (source) =>
      withStore('vfs', (store) => {
        store.add({ name: 'podman', command: ['podman'] }, source, 'localhost/linked:1');
        const folder = place('vfs');
        const pulled = pull(folder, 'pulled', store.reference('localhost/linked:1'));
        assertSame(pulled, pull(folder, 'expected', source), 'vfs');
        assert.equal(pulled.objects.copied, 0);
      }),
    );
    // With overlay a container makes one: the file is copied to its layer, under both names.
    await withLayout(buildImage([base]), (source) =>
      withStore('overlay', (store) => {
        store.add({ name: 'podman', command: ['podman'] }, source, 'localhost/base:1');
        const podman = (...args: string[]): string => run(['podman', ...store.options], ...args);
        const container = podman('create', 'localhost/base:1', '/nothing');
        const mounted = podman('mount', container);
        linkSync(join(mounted, 'usr', 'below'), join(mounted, 'usr', 'link'));
        podman('umount', container);
        podman('commit', '--quiet', container, 'localhost/linked:1');
        podman('rm', container);
        const folder = place('overlay');
        const reference = store.reference('localhost/linked:1');
        run(['skopeo'], '--insecure-policy', 'copy', '--quiet', reference, `oci:${join(folder, 'copy')}:image`);
        const expected = pull(folder, 'expected', `oci:${join(folder, 'copy')}:image`);
        const pulled = pull(folder, 'pulled', reference);
        assert.equal(pulled.layers.length, 2);
        assertSame({ ...pulled, manifest: '' }, { ...expected, manifest: '' }, 'overlay');
        assert.equal(pulled.objects.copied, 0);
      }),
    );
  });
});

const withoutRegistry = withoutBuilders || without('docker-registry');

test('what podman has pulled from a registry is what the registry has', { skip: withoutRegistry }, async () => {
  await withTempDir(async (directory) => {
    const registry = await startDockerRegistry(join(directory, 'registry'));
    try {
      const name = `${registry.host}/team/odd:1`;
      await withLayout(buildImage(oddTars()), (source) =>
        run(['skopeo'], '--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false', source, `docker://${name}`),
      );
      const expected = pull(directory, 'expected', `docker://${name}`, '--tls-verify=false');
      for (const engine of engines().filter((each) => each.name !== 'skopeo')) {
        for (const driver of DRIVERS) {
          const folder = join(directory, `${engine.name.replaceAll(' ', '-')}-${driver}`);
          mkdirSync(folder);
          await withStore(driver, (store) => {
            run([...engine.command, ...store.options], 'pull', '--quiet', '--tls-verify=false', name);
            for (const [index, reference] of [name, 'team/odd:1', `odd@${expected.manifest}`].entries()) {
              const pulled = pull(folder, `pulled-${index}`, store.reference(reference));
              assertSame(pulled, expected, `${engine.name}, ${driver}, ${reference}`);
              assert.equal(pulled.objects.copied, 0);
            }
          });
        }
      }
    } finally {
      await registry.stop();
    }
  });
});

test('a file that is larger than what is read at once', { skip }, async () => {
  const tar = tarArchive([
    tarDirectory('usr/'),
    tarFile('usr/large', Buffer.alloc(70 << 20, 'not all of it is the same')),
    tarFile('usr/after', Buffer.alloc(100, 1)),
  ]);
  await withTempDir((directory) =>
    withLayout(buildImage([tar]), async (source) => {
      const [engine] = engines();
      if (engine === undefined) return;
      await withStore('overlay', (store) => {
        store.add(engine, source, 'localhost/large:1');
        const pulled = pull(directory, 'pulled', store.reference('localhost/large:1'));
        assertSame(pulled, pull(directory, 'expected', source), engine.name);
        assert.equal(pulled.objects.copied, 0);
      });
    }),
  );
});

/** A user with subordinate ids, as whom a store is made and read. */
function subordinateUser(): string | undefined {
  const entry = existsSync('/etc/subuid') ? readFileSync('/etc/subuid', 'utf8').split(':', 1)[0] : undefined;
  if (entry === undefined || entry === '') return undefined;
  return spawnSync('id', ['-u', entry]).status === 0 ? entry : undefined;
}

const user = subordinateUser();
const withoutUser =
  skip ||
  (user === undefined || findInPath('runuser') === undefined
    ? 'there is no user with subordinate ids to run as'
    : ['podman', 'unshare', 'newuidmap'].some((name) => findInPath(name) === undefined)
      ? 'podman, unshare or newuidmap is not installed'
      : false);

test("an ordinary user's store, with files that only its user namespace can read", { skip: withoutUser }, async () => {
  const tar = tarArchive([
    tarDirectory('usr/'),
    tarFile('usr/own', Buffer.alloc(1000, 1)),
    tarFile('usr/private', Buffer.alloc(2000, 2), { mode: 0o600, uid: 5, gid: 42 }),
    tarDirectory('usr/closed/', { mode: 0o700, uid: 7, gid: 7 }),
    tarFile('usr/closed/file', Buffer.alloc(3000, 3), { uid: 7, gid: 7 }),
  ]);
  await withTempDir(async (directory) => {
    const home = mkdtempSync(join(tmpdir(), 'cs-home-'));
    const asUser = (...command: string[]): string =>
      run(['runuser', '-u', user ?? '', '--', 'env', `HOME=${home}`, `XDG_RUNTIME_DIR=${home}`, ...command]);
    try {
      const path = new LayoutBuilder().addImage(buildImage([tar]), { tag: 'image' }).write(join(home, 'layout'));
      run(['chown'], '-R', user ?? '', home);
      const expected = pull(directory, 'expected', `oci:${path}:image`);
      const store = ['--root', join(home, 's'), '--runroot', join(home, 'r'), '--storage-driver', 'overlay'];
      asUser('podman', ...store, 'unshare', 'true');
      const reference = `containers-storage:[overlay@${home}/s+${home}/r]localhost/app:1`;
      asUser(
        'podman',
        ...store,
        'unshare',
        'skopeo',
        '--insecure-policy',
        'copy',
        '-q',
        `oci:${path}:image`,
        reference,
      );
      const command = ['node', CFSCTL, '--repo', join(home, 'repo')];
      asUser(...command, 'init', '--insecure');
      const result = JSON.parse(asUser(...command, 'oci', 'pull', '--json', '--progress', 'none', reference, 'image'));
      assert.equal(result.via, 'store-in-user-namespace');
      assert.deepEqual(
        result.images.map(({ id }: { id: string }) => id),
        expected.images,
      );
      // What belongs to others is copied: the user could not read it as an object.
      assert.equal(result.objects.copied, 2);
      assert.equal(result.objects.hardlinked + result.objects.reflinked, 1);
      assert.match(asUser(...command, 'oci', 'fsck'), /status: ok/);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
