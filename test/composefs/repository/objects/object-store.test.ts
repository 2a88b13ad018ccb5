import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { computeVerity } from '../../../../src/composefs/fsverity/digest.js';
import { CompareVerityError, measureVerityOpt } from '../../../../src/composefs/fsverity/kernel.js';
import { type ObjectId, objectPathname, trustedObjectId } from '../../../../src/composefs/fsverity/object-id.js';
import { ImportContext, ObjectStore } from '../../../../src/composefs/repository/index.js';
import { FlatDigestStore } from '../../../../src/composefs/scan/flat-digest-store.js';
import { findCause, fullMessage } from '../../../../src/errors.js';
import { StagingArea } from '../../../../src/fs/staged-file.js';
import { hasCapability } from '../../../../src/linux/process.js';
import { filesBelow } from '../../../support/files-below.js';
import { withFd } from '../../../support/with-fd.js';
import { tempDir, tempRoot, testData } from '../temp-repository.js';

const HELLO = Buffer.from('hello world');
const HELLO_ID = trustedObjectId('1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64');

interface StoreSettings {
  readonly insecure?: boolean;
  readonly forceNamedTempFiles?: boolean;
  readonly algorithm?: 'sha256' | 'sha512';
}

function tempStore(t: TestContext, settings: StoreSettings = {}): ObjectStore {
  return new ObjectStore({ root: tempRoot(t).reference, algorithm: 'sha256', insecure: true, ...settings });
}

function withSource<T>(t: TestContext, content: Buffer, action: (fd: number) => T): T {
  const path = join(tempDir(t), 'source');
  writeFileSync(path, content);
  return withFd(path, action);
}

/** Skips the test where files here have verity: what is tested is how it is without. */
function skipWithVerity(t: TestContext, store: ObjectStore): boolean {
  const id = new ObjectStore({ ...store.options, insecure: true }).ensureObject(Buffer.from('probe'));
  const hasVerity = withFd(store.path(id), (fd) => measureVerityOpt(fd, store.algorithm)) !== undefined;
  if (hasVerity) t.skip('this file system has fs-verity');
  return hasVerity;
}

for (const forceNamedTempFiles of [false, true]) {
  describe(`ObjectStore with ${forceNamedTempFiles ? 'named' : 'anonymous'} temporary files`, () => {
    it('stores data under its digest, once', (t) => {
      const store = tempStore(t, { forceNamedTempFiles });
      assert.deepEqual(store.storeObject(HELLO), { id: HELLO_ID, size: 11, method: 'copied' });
      assert.deepEqual(store.storeObject(HELLO), { id: HELLO_ID, size: 11, method: 'already-present' });
      assert.deepEqual(filesBelow(store.objectsPath), [objectPathname(HELLO_ID)]);
      assert.deepEqual(store.readObject(HELLO_ID), HELLO);
      assert.equal(store.has(HELLO_ID), true);
      assert.equal(store.has(trustedObjectId('00'.repeat(32))), false);
      assert.equal(store.has(trustedObjectId('1e')), false);
    });

    it('stores the empty file', (t) => {
      const store = tempStore(t, { forceNamedTempFiles });
      const id = store.ensureObject(Buffer.alloc(0));
      assert.equal(id, '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95');
      assert.equal(store.readObject(id).length, 0);
    });

    it('stores 64 KiB twice from a stream and leaves nothing else behind', (t) => {
      // Spec 10 §22.
      const store = tempStore(t, { forceNamedTempFiles });
      const data = testData(65536, 0xc5);
      const chunks = (): Buffer[] => [data.subarray(0, 1000), data.subarray(1000, 1000), data.subarray(1000)];
      const first = store.ensureObjectFromChunks(chunks(), 65536);
      const second = store.ensureObjectFromChunks(chunks(), 65536);
      assert.equal(first.id, second.id);
      assert.deepEqual([first.method, second.method], ['copied', 'already-present']);
      assert.deepEqual(store.readObject(first.id), data);
      assert.deepEqual(filesBelow(store.objectsPath), [objectPathname(first.id)]);
    });

    it('stores large content from a stream, from a file and as a whole alike', (t) => {
      const data = testData(3 * 1024 * 1024 + 17, 0xee);
      const ids = new Set<ObjectId>();
      for (const how of [
        (store: ObjectStore) => store.ensureObject(data),
        (store: ObjectStore) => withSource(t, data, (fd) => store.ensureObjectFromFd(fd, data.length)),
        (store: ObjectStore) => {
          const writer = store.createWriter();
          for (let offset = 0; offset < data.length; offset += 99_999) {
            // The writer has to have its own copy of what it keeps.
            const chunk = Buffer.from(data.subarray(offset, offset + 99_999));
            writer.write(chunk);
            chunk.fill(0);
          }
          const stored = writer.finish();
          assert.deepEqual(stored, { id: computeVerity('sha256', data), size: data.length, method: 'copied' });
          return stored.id;
        },
      ]) {
        const store = tempStore(t, { forceNamedTempFiles });
        const id = how(store);
        ids.add(id);
        assert.deepEqual(Buffer.concat([...store.readObjectChunks(id)]), data);
        assert.deepEqual(filesBelow(store.objectsPath), [objectPathname(id)]);
      }
      assert.equal(ids.size, 1);
    });

    it('keeps holes, wherever they are', (t) => {
      for (const [before, hole, after] of [
        [0, 10, 0],
        [10, 2_000_000, 10],
        [300_000, 5, 300_000],
        [1, 5_000_000, 0],
        [0, 5_000_000, 0],
      ] as const) {
        const store = tempStore(t, { forceNamedTempFiles });
        const [start, end] = [testData(before, 1), testData(after, 2)];
        const writer = store.createWriter();
        writer.write(start);
        writer.writeZeros(hole);
        writer.write(end);
        const { id } = writer.finish();
        const whole = Buffer.concat([start, Buffer.alloc(hole), end]);
        assert.equal(id, computeVerity('sha256', whole));
        assert.deepEqual(store.readObject(id), whole);
        if (hole > 1_000_000) assert(statSync(store.path(id)).blocks * 512 < 100_000);
      }
    });

    it('finds large content present', (t) => {
      const store = tempStore(t, { forceNamedTempFiles });
      const data = testData(1024 * 1024, 1);
      store.ensureObject(data);
      assert.equal(store.ensureObjectFromChunks([data]).method, 'already-present');
      assert.equal(filesBelow(store.objectsPath).length, 1);
    });

    it('leaves nothing of an aborted or failed stream', (t) => {
      const store = tempStore(t, { forceNamedTempFiles });
      const data = testData(1024 * 1024, 1);
      const writer = store.createWriter();
      writer.write(data);
      if (forceNamedTempFiles) assert.match(readdirSync(store.objectsPath).join(), /^\.tmp-object-[A-Za-z0-9]{12}$/);
      writer.abort();
      assert.throws(() => writer.write(data), { code: 'WRITER_ENDED' });
      const broken = function* (): Generator<Buffer> {
        yield data;
        throw new RangeError('the source broke');
      };
      assert.throws(() => store.ensureObjectFromChunks(broken()), /the source broke/);
      for (const size of [data.length - 1, data.length + 1]) {
        const message = `Expected ${size} bytes, got ${data.length}`;
        assert.throws(() => store.ensureObjectFromChunks([data], size), { code: 'SIZE_MISMATCH', message });
      }
      assert.deepEqual(filesBelow(store.objectsPath), []);
    });

    it('imports a file by hard link or copy', (t) => {
      const store = tempStore(t, { forceNamedTempFiles });
      const data = testData(100_000, 7);
      withSource(t, data, (fd) => {
        // What was read of the source before does not matter.
        readSync(fd, Buffer.alloc(10));
        const context = new ImportContext();
        const first = store.ensureObjectFromFile(fd, data.length, context);
        const expected = hasCapability('CAP_DAC_READ_SEARCH') ? ['hardlinked', 'reflinked'] : ['copied', 'reflinked'];
        assert.ok(expected.includes(first.method), first.method);
        assert.equal(first.id, computeVerity('sha256', data));
        assert.equal(store.ensureObjectFromFile(fd, data.length, context).method, 'already-present');
        assert.deepEqual(store.readObject(first.id), data);
        assert.deepEqual(filesBelow(store.objectsPath), [objectPathname(first.id)]);
      });
    });
  });
}

describe('ObjectStore', () => {
  it('makes objects and directories with the documented modes', (t) => {
    const store = tempStore(t);
    const umask = process.umask(0o022);
    t.after(() => process.umask(umask));
    const small = store.path(store.ensureObject(HELLO));
    const large = store.path(store.ensureObjectFromChunks([testData(1024 * 1024, 3)]).id);
    assert.equal(statSync(small).mode & 0o7777, 0o644);
    assert.equal(statSync(large).mode & 0o7777, 0o644);
    assert.equal(statSync(store.objectsPath).mode & 0o7777, 0o755);
    assert.equal(statSync(join(large, '..')).mode & 0o7777, 0o755);
  });

  it('copes with object directories that vanish', (t) => {
    const store = tempStore(t);
    store.ensureObject(HELLO);
    rmSync(store.objectsPath, { recursive: true });
    assert.equal(store.storeObject(HELLO).method, 'copied');
    rmSync(store.objectsPath, { recursive: true });
    assert.equal(store.ensureObjectFromChunks([testData(1024 * 1024, 3)]).method, 'copied');
  });

  it('fails with ENOENT for an object that is not there', (t) => {
    const store = tempStore(t);
    assert.throws(() => store.openObject(HELLO_ID), { code: 'ENOENT' });
    assert.throws(() => store.readObject(HELLO_ID), { code: 'ENOENT' });
  });

  it('trusts what is there with the right size in insecure mode without verity', (t) => {
    const store = tempStore(t);
    if (skipWithVerity(t, store)) return;
    mkdirSync(join(store.path(HELLO_ID), '..'), { recursive: true });
    const broken = 'x'.repeat(HELLO.length);
    writeFileSync(store.path(HELLO_ID), broken);
    assert.equal(store.storeObject(HELLO).method, 'already-present');
    assert.equal(store.ensureObjectFromChunks([HELLO]).method, 'already-present');
    assert.equal(store.readObject(HELLO_ID).toString(), broken);
    assert.equal(store.isIntact(HELLO_ID), false);
    assert.throws(() => store.openIntact(HELLO_ID), { code: 'DIGEST_MISMATCH' });
  });

  it('refuses to store or read without verity in secure mode', (t) => {
    const store = tempStore(t, { insecure: false });
    if (skipWithVerity(t, store)) return;
    assert.throws(
      () => store.ensureObject(HELLO),
      (error) => /^Enabling verity on tmpfile: Filesystem does not support fs-verity/.test(fullMessage(error)),
    );
    assert.throws(() => store.ensureObjectFromChunks([testData(1024 * 1024, 3)]), /Enabling verity on tmpfile/);
    assert.equal(filesBelow(store.objectsPath).length, 1);
    new ObjectStore({ ...store.options, insecure: true }).ensureObject(HELLO);
    assert.throws(() => store.ensureObject(HELLO), /Verifying existing object integrity/);
    assert.throws(
      () => store.openObject(HELLO_ID),
      (error) =>
        error instanceof Error &&
        error.message === 'Verifying file verity digest' &&
        findCause(error, CompareVerityError)?.kind === 'measure',
    );
  });

  it('imports by copy where a hard link is not to be had, unless told not to copy', (t) => {
    const store = tempStore(t, { insecure: false });
    if (skipWithVerity(t, store)) return;
    // Secure mode on a file system without verity: reflink and hard link fail, and so does the copy.
    withSource(t, HELLO, (fd) => {
      assert.throws(
        () => store.ensureObjectFromFile(fd, HELLO.length, new ImportContext({ zeroCopy: true })),
        /reflink and hardlink both failed; copy fallback is disabled \(zerocopy mode\)|Enabling verity on tmpfile/,
      );
      assert.throws(() => store.ensureObjectFromFile(fd, HELLO.length, new ImportContext()), /Enabling verity/);
    });
  });

  it('does not write to a directory that is not there', (t) => {
    const store = tempStore(t);
    rmSync(store.root.path, { recursive: true });
    assert.throws(() => store.ensureObject(HELLO), { code: 'ENOENT' });
  });

  it('gives back any content, however it is cut', (t) => {
    const stores = [false, true].map((forceNamedTempFiles) => tempStore(t, { forceNamedTempFiles }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), fc.array(fc.nat(20_000), { maxLength: 5 }), (bytes, cuts) => {
        const data = Buffer.from(bytes);
        const bounds = [0, ...cuts.map((cut) => cut % (data.length + 1)).sort((a, b) => a - b), data.length];
        const chunks = bounds.slice(1).map((end, i) => data.subarray(bounds[i], end));
        for (const store of stores) {
          const { id, size } = store.ensureObjectFromChunks(chunks, data.length);
          assert.equal(id, computeVerity('sha256', data));
          assert.equal(size, data.length);
          assert.deepEqual(store.readObject(id), data);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('StagingArea', () => {
  it('does not replace what is there, and removes its own file then', (t) => {
    for (const forceNamed of [false, true]) {
      const directory = tempDir(t);
      const path = join(directory, 'final');
      writeFileSync(path, 'first');
      const file = new StagingArea((action) => action(directory), '.tmp-', forceNamed).create(0o644);
      assert.equal(file.place(path), false);
      file.discard();
      assert.deepEqual(readdirSync(directory), ['final']);
    }
  });
});

describe('FlatDigestStore', () => {
  it('puts objects right below its directory', (t) => {
    const path = join(tempDir(t), 'store');
    const store = FlatDigestStore.open(path, 'sha256', true);
    const data = Buffer.from('hello, flat digest store!');
    const id = withSource(t, data, (fd) => {
      store.ensureObjectFromFd(fd, data.length);
      return store.ensureObjectFromFd(fd, data.length);
    });
    assert.equal(id, 'ae50bdc76f132f493daf301f0f7b688a582144302aec8877721088080811d756');
    assert.deepEqual(filesBelow(path), [`ae/${id.slice(2)}`]);
    assert.equal(statSync(path).mode & 0o777, 0o755);
  });

  it('refuses content of another size', (t) => {
    const store = FlatDigestStore.open(tempDir(t), 'sha256', true);
    withSource(t, HELLO, (fd) => {
      assert.throws(() => store.ensureObjectFromFd(fd, 12), /object size mismatch/);
    });
    assert.deepEqual(filesBelow(store.path), []);
  });

  it('does not make the parents of its directory', (t) => {
    const path = join(tempDir(t), 'a/b');
    assert.throws(() => FlatDigestStore.open(path, 'sha256', true), { code: 'ENOENT' });
    assert.equal(existsSync(path), false);
  });
});
