import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { writeErofs } from '../../../src/composefs/erofs/index.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { ImportContext, ObjectStore } from '../../../src/composefs/repository/index.js';
import { withDeferredNames } from '../../../src/composefs/repository/objects/deferred-names.js';
import { FlatDigestStore } from '../../../src/composefs/scan/flat-digest-store.js';
import { filesBelow } from '../../support/files-below.js';
import { withFd } from '../../support/with-fd.js';
import { directory } from '../erofs/support.js';
import { tempDir, tempRepository, testData, writeStream } from './temp-repository.js';

/** Objects as a power cut leaves them: with their name, and none or a part of their data. */

const SMALL = testData(5000, 1);
const LARGE = testData(400_000, 2);

type Store = (objects: ObjectStore, data: Buffer, source: string) => { id: ObjectId; method?: string };

const WAYS: Readonly<Record<string, Store>> = {
  storeObject: (objects, data) => objects.storeObject(data),
  ensureObjectFromChunks: (objects, data) =>
    objects.ensureObjectFromChunks([data.subarray(0, 7), data.subarray(7)], data.length),
  ensureObjectFromFd: (objects, data, source) => ({
    id: withFd(source, (fd) => objects.ensureObjectFromFd(fd, data.length)),
  }),
  ensureObjectFromFile: (objects, data, source) =>
    withFd(source, (fd) => objects.ensureObjectFromFile(fd, data.length, new ImportContext())),
};

function tear(path: string, data: Buffer): void {
  chmodSync(path, 0o644);
  writeFileSync(path, data);
}

describe('an object of the wrong size', () => {
  for (const [way, store] of Object.entries(WAYS)) {
    for (const forceNamedTempFiles of [false, true]) {
      it(`is replaced by ${way}${forceNamedTempFiles ? ' through a named file' : ''}`, async (t) => {
        const repo = await tempRepository(t);
        const objects = new ObjectStore({ ...repo.objects.options, forceNamedTempFiles });
        for (const data of [SMALL, LARGE]) {
          const source = join(tempDir(t), 'source');
          writeFileSync(source, data);
          const { id } = store(objects, data, source);
          const torn = [Buffer.alloc(0), data.subarray(0, 4096), Buffer.concat([data, Buffer.from('x')])];
          for (const content of torn) {
            // Not the inode itself, which may be that of the source.
            const path = objects.path(id);
            tear(path, data);
            const copy = new ObjectStore({ ...repo.objects.options, forceNamedTempFiles: true });
            copy.place(stagedFile(copy, content), id, content.length);
            assert.deepEqual(readFileSync(path), content);
            const again = store(objects, data, source);
            assert.equal(again.id, id);
            assert.notEqual(again.method, 'already-present');
            assert.deepEqual(readFileSync(path), data);
            assert.notEqual(store(objects, data, source).method, 'copied');
          }
        }
        // No temporary file stays.
        assert.equal(filesBelow(objects.objectsPath).length, 2);
      });
    }
  }

  it('is replaced in a flat store', (t) => {
    const directory = tempDir(t);
    const store = FlatDigestStore.open(join(directory, 'store'), 'sha256', true);
    for (const data of [SMALL, testData(2_000_000, 3)]) {
      const source = join(directory, 'source');
      writeFileSync(source, data);
      const add = (): ObjectId => withFd(source, (fd) => store.ensureObjectFromFd(fd, data.length));
      const id = add();
      const path = join(store.path, id.slice(0, 2), id.slice(2));
      for (const content of [Buffer.alloc(0), data.subarray(0, 4096)]) {
        tear(path, content);
        const { ino } = statSync(path);
        add();
        assert.deepEqual(readFileSync(path), data);
        assert.notEqual(statSync(path).ino, ino);
      }
    }
    assert.equal(filesBelow(store.path).length, 2);
  });
});

describe('an object of the right size and other content', () => {
  it('is replaced where it is a stream or an image, and left where it is a file', async (t) => {
    const repo = await tempRepository(t);
    const { objects } = repo;
    for (const data of [SMALL, LARGE]) {
      const stores = [() => objects.storeObject(data), () => objects.ensureObjectFromChunks([data])];
      for (const store of stores) {
        const { id } = store();
        const copy = statSync(objects.path(id)).ino;
        assert.equal(objects.ensureIntact(store), id);
        assert.equal(statSync(objects.path(id)).ino, copy);
        tear(objects.path(id), Buffer.alloc(data.length));
        assert.equal(store().method, 'already-present');
        assert.equal(objects.ensureIntact(store), id);
        assert.deepEqual(readFileSync(objects.path(id)), data);
      }
    }
    assert.equal(filesBelow(objects.objectsPath).length, 2);
  });

  it('is replaced by whatever stores streams and images', async (t) => {
    const repo = await tempRepository(t);
    const write = (): Promise<ObjectId> => writeStream(repo, 'stream', { objects: [] });
    const image = writeErofs(directory(), { version: 2, algorithm: repo.algorithm });
    for (const id of [await write(), await repo.writeImage(image)]) {
      const right = readFileSync(repo.objects.path(id));
      tear(repo.objects.path(id), Buffer.alloc(right.length));
      await write();
      await repo.writeImage(image);
      assert.deepEqual(readFileSync(repo.objects.path(id)), right);
    }
    assert.deepEqual((await repo.fsck({ threads: 0 })).errors, []);
  });

  it('is left alone while it has no name', async (t) => {
    const repo = await tempRepository(t);
    repo.objects.ensureObject(Buffer.from('probe'));
    await withDeferredNames(repo.objects.options, (objects) => {
      const store = (): ReturnType<ObjectStore['storeObject']> => objects.storeObject(SMALL);
      assert.equal(objects.ensureIntact(store), objects.ensureIntact(store));
    });
    assert.equal(filesBelow(repo.objects.objectsPath).length, 2);
  });
});

describe('deferred names', () => {
  it('appear when they are asked for, or when there are many', async (t) => {
    const repo = await tempRepository(t);
    // Whether there is verity is found out by the first object.
    repo.objects.ensureObject(Buffer.from('probe'));
    const objects = new ObjectStore(repo.objects.options);
    objects.ensureObject(Buffer.from('probe, too'));
    if (!objects.verity.unavailable) return t.skip('files with fs-verity are on disk when they get it');
    objects.deferNames(2);
    const [a, b, c] = [1, 2, 3].map((seed) => objects.storeObject(testData(5000, seed)));
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    assert.deepEqual(
      [a, b, c].map(({ id, method }) => [method, objects.has(id)]),
      [
        ['copied', true],
        ['copied', true],
        ['copied', false],
      ],
    );
    assert.equal(objects.storeObject(testData(5000, 3)).method, 'already-present');
    assert.equal(objects.ensureObjectFromChunks([LARGE]).method, 'copied');
    assert.equal(objects.ensureObjectFromChunks([LARGE]).method, 'already-present');
    objects.nameObjects();
    assert.deepEqual(objects.readObject(c.id), testData(5000, 3));
    objects.nameObjects();
    assert.equal(filesBelow(objects.objectsPath).length, 6);
    // Another store may have been faster, with the right file or a torn one.
    for (const [seed, theirs] of [
      [4, testData(5000, 4)],
      [5, Buffer.alloc(0)],
    ] as const) {
      const { id } = objects.storeObject(testData(5000, seed));
      repo.objects.place(stagedFile(repo.objects, theirs), id, theirs.length);
      objects.nameObjects();
      assert.deepEqual(objects.readObject(id), testData(5000, seed));
    }
  });

  it('leave nothing behind when they are dropped', async (t) => {
    const repo = await tempRepository(t);
    repo.objects.ensureObject(Buffer.from('probe'));
    for (const forceNamedTempFiles of [false, true]) {
      const options = { ...repo.objects.options, forceNamedTempFiles };
      const before = [readdirSync('/proc/self/fd').length, filesBelow(repo.objects.objectsPath)] as const;
      const failure = withDeferredNames(options, (objects) => {
        for (let seed = 10; seed < 20; seed++) objects.ensureObject(testData(5000, seed));
        if (!objects.verity.unavailable) return;
        throw new Error('enough');
      });
      await assert.rejects(failure, /enough/);
      const left = filesBelow(repo.objects.objectsPath);
      // The first object tells that there is no verity to wait for.
      assert.ok(left.length - before[1].length <= 1);
      assert.equal(readdirSync('/proc/self/fd').length, before[0]);
      assert.ok(left.every((name) => /^[0-9a-f]{2}\/[0-9a-f]{126}$/.test(name)));
    }
  });
});

function stagedFile(store: ObjectStore, content: Buffer): ReturnType<ObjectStore['stage']> {
  const file = store.stage(0o644);
  writeFileSync(file.fd, content);
  return file;
}
