import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { errorCode, fullMessage } from '../../src/errors.js';
import { withFd } from '../../src/fs/files.js';
import { rebuildTar, requireUnchangedFiles } from '../../src/storage/rebuild-tar.js';
import { ContainerStore, type StoreDriver } from '../../src/storage/store.js';
import { withTempDir } from '../support/paths.js';
import { sha256 } from '../support/sha256.js';
import { type BuiltLayer, StoreBuilder } from '../support/store-builder.js';
import {
  paxHeader,
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../support/tar-builder.js';

const DRIVERS: readonly StoreDriver[] = ['overlay', 'vfs'];

/** The two layers of spec 60 §22.2. */
const LAYERS = [
  '7ddLCoMwFIXhjLuKrEATyWM9lkodSAWttHT1DZ0UbBy04LXg/00SnDg4nNxkGodSrcwk0fvXmszXzD54H5T2SsA0Xush/VLt05TyrwXyD84t52/dPP+YPmlD/qtrm67r9a0futNBYZf9P0r0/7P36l3/TP8t/ZdwF0DL/rv/ncT9L8Yv7n/RxDT/q5r+S+Tfbnz+Z/IPoVLaSgwn8i+LW1uc+0uz2f1/vrfG2or5L5X/Y/3+u+X3v829/6M35A8AAAAAAAAAwK+e',
  '7dMxEkUwFEbhayd2QMhN1mP0CqSweuKVntGYMDhfc9OlOPOHoS8ksTLyqr8bbe/O26k6yVUuEIax6eOX8k0h9u/m9P2dtQf9zaa/rysreUn/5JoMX7buv5V792/+9u+8qdn/FaazmNCjCQAAAAAAAAAAAADgFRY=',
].map((text) => inflateRawSync(Buffer.from(text, 'base64')));

async function rebuilt(root: string, driver: StoreDriver, layerId: string): Promise<Buffer> {
  const store = new ContainerStore({ root, driver });
  try {
    const parts: Buffer[] = [];
    await rebuildTar(store, layerId, {
      // Buffers are the caller's again afterwards.
      bytes: (bytes) => void parts.push(Buffer.from(bytes)),
      file: ({ fd, size }) => {
        const content = Buffer.alloc(size);
        withFd(fd, () => assert.equal(readSync(fd, content), size));
        parts.push(content);
      },
    });
    return Buffer.concat(parts);
  } finally {
    store.close();
  }
}

async function changedFiles(root: string, driver: StoreDriver, layerId: string): Promise<string> {
  const store = new ContainerStore({ root, driver });
  try {
    await requireUnchangedFiles(store, layerId);
    return '';
  } catch (error) {
    assert.equal(errorCode(error), 'LAYER_FILE_CHANGED');
    return fullMessage(error);
  } finally {
    store.close();
  }
}

/** Runs `action` with a store of one layer. */
async function withLayer(
  tar: Buffer,
  action: (builder: StoreBuilder, layer: BuiltLayer) => Promise<void>,
  driver: StoreDriver = 'overlay',
): Promise<void> {
  await withTempDir(async (dir) => {
    const builder = new StoreBuilder(join(dir, 'store'), driver);
    await action(builder, builder.addLayer(tar));
  });
}

test('the tars of the specification are rebuilt', async () => {
  const digests = LAYERS.map((tar) => sha256(tar));
  assert.deepEqual(digests, [
    'dc451f046ff3250018d3963cd1fc1f4b7641fb4383403dc2e8732eb016caab2e',
    '296b5ffc4c9b0ce4d281b0700ad625fb049c8478b0e87ca467b16fc61c50cb86',
  ]);
  for (const driver of DRIVERS) {
    for (const tar of LAYERS) {
      await withLayer(tar, async ({ root }, { id }) => assert.deepEqual(await rebuilt(root, driver, id), tar), driver);
    }
  }
});

test('odd names, headers with sizes but no content, padding and extensions', async () => {
  const tar = tarArchive(
    [
      tarDirectory('usr/'),
      tarFile('/usr/absolute', 'one'),
      tarFile('./usr/../usr/dots', 'two'),
      tarFile('usr/empty', ''),
      tarFile(Buffer.from('usr/\xfe\xff', 'latin1'), Buffer.alloc(64, 1)),
      paxHeader([['path', `usr/${'long/'.repeat(60)}name`]]),
      tarFile('short', Buffer.alloc(65, 2)),
      tarHardlink('usr/link', 'usr/dots', { size: 100 }),
      tarSymlink('usr/symlink', 'dots', { size: 7 }),
      tarDirectory('usr/directory/', { size: 5 }),
      tarHeader({ name: 'old/', type: '\0', size: 9 }),
      tarFile('usr/last', Buffer.alloc(5000, 3)),
    ],
    10240,
  );
  await withLayer(tar, async ({ root }, { id }) => assert.deepEqual(await rebuilt(root, 'overlay', id), tar));
});

test('a file whose directory is reached over a link of the layer', async () => {
  const tar = tarArchive([tarDirectory('usr/lib/'), tarFile('lib/x', 'content'), tarFile('abs/y', 'more')]);
  await withLayer(tar, async ({ root }, { id, directory }) => {
    // As containers/storage unpacks it where the layer has had the links before.
    renameSync(join(directory, 'lib', 'x'), join(directory, 'usr', 'lib', 'x'));
    renameSync(join(directory, 'abs', 'y'), join(directory, 'usr', 'lib', 'y'));
    for (const name of ['lib', 'abs']) rmSync(join(directory, name), { recursive: true });
    symlinkSync('usr/lib', join(directory, 'lib'));
    symlinkSync('/usr/lib', join(directory, 'abs'));
    assert.deepEqual(await rebuilt(root, 'overlay', id), tar);
  });
});

test('a file that only a lower layer has', async () => {
  const tar = tarArchive([tarFile('a', 'from below'), tarFile('b', 'own')]);
  await withLayer(tar, async (builder, base) => {
    const upper = builder.addLayer(
      tarArchive([tarFile('a', 'from below'), tarFile('b', 'own'), tarFile('c', '1')]),
      base.id,
    );
    rmSync(join(upper.directory, 'a'));
    const bytes = await rebuilt(builder.root, 'overlay', upper.id);
    assert.equal(`sha256:${sha256(bytes)}`, upper.diffId);
    rmSync(join(base.directory, 'a'));
    await assert.rejects(rebuilt(builder.root, 'overlay', upper.id), {
      code: 'LAYER_FILE_CHANGED',
      message: `file "a" of layer ${upper.id} is missing`,
    });
  });
});

test('changed files are named', async () => {
  const tar = tarArchive([tarFile('a', 'aaaa'), tarFile('d/b', 'bbbb'), tarFile('c', 'cccc')]);
  await withLayer(tar, async ({ root }, { id, directory }) => {
    assert.equal(await changedFiles(root, 'overlay', id), '');
    writeFileSync(join(directory, 'd', 'b'), 'BBBB');
    assert.equal(await changedFiles(root, 'overlay', id), `file "d/b" of layer ${id} has another content`);
    appendFileSync(join(directory, 'a'), 'a');
    rmSync(join(directory, 'c'));
    assert.equal(
      await changedFiles(root, 'overlay', id),
      `file "a" of layer ${id} has 5 bytes instead of 4; file "d/b" of layer ${id} has another content; ` +
        `file "c" of layer ${id} is missing`,
    );
    await assert.rejects(rebuilt(root, 'overlay', id), { message: `file "a" of layer ${id} has 5 bytes instead of 4` });
  });
});

test('nothing is opened outside of a layer, and nothing but files', async () => {
  const tar = tarArchive([tarFile('d/a', 'aaaa')]);
  await withLayer(tar, async (builder, { id, directory }) => {
    const outside = join(builder.root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'a'), 'aaaa');
    const isMissing = { code: 'LAYER_FILE_CHANGED', message: `file "d/a" of layer ${id} is missing` };
    const plant = async (change: () => void, expected: object): Promise<void> => {
      rmSync(join(directory, 'd'), { recursive: true });
      change();
      await assert.rejects(rebuilt(builder.root, 'overlay', id), expected);
    };
    await plant(() => symlinkSync(outside, join(directory, 'd')), isMissing);
    await plant(() => symlinkSync('../../../outside', join(directory, 'd')), isMissing);
    await plant(
      () => {
        mkdirSync(join(directory, 'd'));
        symlinkSync('/etc/passwd', join(directory, 'd', 'a'));
      },
      { code: 'ELOOP' },
    );
    await plant(() => mkdirSync(join(directory, 'd', 'a'), { recursive: true }), isMissing);
    // The layer's own directory is a link.
    renameSync(directory, join(builder.root, 'moved'));
    symlinkSync(join(builder.root, 'moved'), directory);
    await assert.rejects(rebuilt(builder.root, 'overlay', id), { code: 'ELOOP' });
  });
});

test('names of a tar-split lead nowhere else', async () => {
  await withLayer(tarArchive([tarFile('a', 'aaaa')]), async (builder, { id }) => {
    writeFileSync(join(builder.root, 'secret'), 'aaaa');
    for (const name of ['../../../secret', '/../../../secret', 'x/../../../../secret', '..', '/', '', 'a\0b']) {
      builder.writeTarSplit(id, [{ type: 1, name, size: 4, payload: null }]);
      await assert.rejects(rebuilt(builder.root, 'overlay', id), { code: 'LAYER_FILE_CHANGED' }, JSON.stringify(name));
    }
  });
});

test('what a layer needs and is not there', async () => {
  await withLayer(tarArchive([tarFile('a', 'aaaa')]), async ({ root, ...builder }, { id, directory }) => {
    await assert.rejects(rebuilt(root, 'overlay', 'none'), {
      code: 'LAYER_NOT_IN_STORE',
      message: 'layer not found: none',
    });
    await assert.rejects(rebuilt(root, 'overlay', '../../x'), { code: 'LAYER_NOT_IN_STORE' });
    rmSync(join(root, 'overlay-layers', `${id}.tar-split.gz`));
    await assert.rejects(rebuilt(root, 'overlay', id), { code: 'LAYER_NOT_REBUILDABLE' });
    chmodSync(directory, 0o755);
    void builder;
  });
});
