import assert from 'node:assert/strict';
import { chmodSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { FlatDigestStore, ImportContext, ObjectStore } from '../../../src/composefs/repository/index.js';
import { filesBelow, tempDir, tempRepository, testData } from './temp-repository.js';

/** Objects as a power cut leaves them: with their name, and none or a part of their data. */

const SMALL = testData(5000, 1);
const LARGE = testData(400_000, 2);

type Store = (objects: ObjectStore, data: Buffer, source: string) => { id: ObjectId; method?: string };

const WAYS: Readonly<Record<string, Store>> = {
  storeObject: (objects, data) => objects.storeObject(data),
  ensureObjectFromChunks: (objects, data) =>
    objects.ensureObjectFromChunks([data.subarray(0, 7), data.subarray(7)], data.length),
  ensureObjectFromFd: (objects, data, source) => ({
    id: withFile(source, (fd) => objects.ensureObjectFromFd(fd, data.length)),
  }),
  ensureObjectFromFile: (objects, data, source) =>
    withFile(source, (fd) => objects.ensureObjectFromFile(fd, data.length, new ImportContext())),
};

function withFile<T>(path: string, action: (fd: number) => T): T {
  const fd = openSync(path, 'r');
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}

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
      const add = (): ObjectId => withFile(source, (fd) => store.ensureObjectFromFd(fd, data.length));
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

function stagedFile(store: ObjectStore, content: Buffer): ReturnType<ObjectStore['stage']> {
  const file = store.stage(0o644);
  writeFileSync(file.fd, content);
  return file;
}
