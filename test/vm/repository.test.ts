import assert from 'node:assert/strict';
import { closeSync, linkSync, openSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import { enableVerityWithRetry, measureVerityOpt } from '../../src/composefs/fsverity/kernel.js';
import { ImportContext, inferRepoAlgorithm, ObjectStore, Repository } from '../../src/composefs/repository/index.js';
import { FlatDigestStore } from '../../src/composefs/scan/flat-digest-store.js';
import { fullMessage } from '../../src/errors.js';
import { hasCapability } from '../../src/linux/process.js';
import { testData, treeOf, writeStream } from '../composefs/repository/temp-repository.js';
import { filesBelow } from '../support/files-below.js';
import { tempDir } from '../support/paths.js';
import { withFd } from '../support/with-fd.js';

/** A directory on a file system with fs-verity: ext4 made with `-O verity`, or btrfs. */
const { COMPOSEFS_TEST_VERITY_DIR: verityDirectory = '' } = process.env;
const skip = verityDirectory === '' ? 'COMPOSEFS_TEST_VERITY_DIR names no directory with fs-verity' : false;

const IN_THREAD = { threads: 0 };
const SMALL = testData(5000, 1);
const LARGE = testData(1_000_000, 2);

async function secureRepository(t: TestContext, algorithm: HashAlgorithm = 'sha256'): Promise<Repository> {
  const { repo } = await Repository.init(join(tempDir(t, verityDirectory), 'repo'), { algorithm });
  t.after(() => repo.close());
  return repo;
}

function measure(path: string, algorithm: HashAlgorithm): string | undefined {
  return withFd(path, (fd) => measureVerityOpt(fd, algorithm));
}

/** Replaces an object by a file without verity. */
function replace(store: ObjectStore, path: string, content: Buffer): void {
  unlinkSync(path);
  writeFileSync(path, content);
  assert.equal(measure(path, store.algorithm), undefined);
}

for (const algorithm of ['sha256', 'sha512'] as const) {
  test(`a ${algorithm} repository is secure, and so are its objects`, { skip }, async (t) => {
    const repo = await secureRepository(t, algorithm);
    assert.equal(repo.insecure, false);
    repo.requireVerity();
    assert.notEqual(measure(join(repo.path, 'meta.json'), algorithm), undefined);
    for (const forceNamedTempFiles of [false, true]) {
      const store = new ObjectStore({ ...repo.objects.options, forceNamedTempFiles });
      for (const data of [SMALL, LARGE]) {
        const seed = Buffer.from([Number(forceNamedTempFiles)]);
        const content = Buffer.concat([data, seed]);
        const id = store.ensureObject(content);
        assert.equal(measure(store.path(id), algorithm), id);
        assert.equal(store.storeObject(content).method, 'already-present');
        const streamed = store.ensureObjectFromChunks([seed, data]);
        assert.equal(streamed.method, 'copied');
        assert.equal(measure(store.path(streamed.id), algorithm), streamed.id);
        assert.deepEqual(store.readObject(streamed.id), Buffer.concat([seed, data]));
      }
    }
    assert.deepEqual(
      readdirSync(repo.objects.objectsPath).filter((name) => name.length !== 2),
      [],
    );
    assert.deepEqual((await repo.fsck(IN_THREAD)).errors, []);
  });

  test(`a ${algorithm} repository opened for the other algorithm says so`, { skip }, async (t) => {
    const repo = await secureRepository(t, algorithm);
    const other = algorithm === 'sha256' ? 'sha512' : 'sha256';
    await assert.rejects(Repository.open(repo.path, { algorithm: other }), { code: 'ALGORITHM_MISMATCH' });
  });
}

test('a secure repository refuses objects without verity or with other content', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const id = repo.objects.ensureObject(SMALL);
  replace(repo.objects, repo.objects.path(id), SMALL);
  assert.throws(() => repo.objects.openObject(id), /Verifying file verity digest/);
  assert.throws(() => repo.objects.ensureObject(SMALL), /Verifying existing object integrity/);
  assert.deepEqual(
    (await repo.fsck(IN_THREAD)).errors.map((error) => error.type),
    ['object-verity-missing'],
  );
  // Insecure: missing verity is tolerated, and added where something is stored again.
  const insecure = new ObjectStore({ ...repo.objects.options, insecure: true });
  assert.deepEqual(insecure.readObject(id), SMALL);
  assert.equal(insecure.storeObject(SMALL).method, 'already-present');
  assert.equal(measure(repo.objects.path(id), 'sha256'), id);
  assert.deepEqual(repo.objects.readObject(id), SMALL);
});

test('verity of other content of the same size is an error in both modes', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const [id, other] = [repo.objects.ensureObject(SMALL), repo.objects.ensureObject(testData(SMALL.length, 77))];
  unlinkSync(repo.objects.path(id));
  linkSync(repo.objects.path(other), repo.objects.path(id));
  for (const insecure of [false, true]) {
    const store = new ObjectStore({ ...repo.objects.options, insecure });
    assert.throws(
      () => store.openObject(id),
      (error) => fullMessage(error).includes(`Expected digest ${id} but found ${other}`),
    );
    assert.throws(() => store.ensureObject(SMALL), /Verifying existing object integrity/);
  }
  assert.equal((await repo.fsck(IN_THREAD)).errors[0]?.type, 'object-digest-mismatch');
});

test('an object of another size is replaced, with verity, in both modes', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const [id, other] = [repo.objects.ensureObject(SMALL), repo.objects.ensureObject(LARGE)];
  for (const insecure of [false, true]) {
    unlinkSync(repo.objects.path(id));
    linkSync(repo.objects.path(other), repo.objects.path(id));
    const store = new ObjectStore({ ...repo.objects.options, insecure });
    assert.throws(
      () => store.openObject(id),
      (error) => fullMessage(error).includes(`Expected digest ${id} but found ${other}`),
    );
    assert.equal(store.ensureObject(SMALL), id);
    assert.equal(measure(repo.objects.path(id), 'sha256'), id);
    assert.equal(measure(repo.objects.path(other), 'sha256'), other);
  }
  assert.deepEqual((await repo.fsck(IN_THREAD)).errors, []);
});

test('a check that cannot trust what it has listed opens what streams and images need', { skip }, async (t) => {
  const { repo } = await Repository.init(join(tempDir(t, verityDirectory), 'repo'), {
    algorithm: 'sha256',
    insecure: true,
  });
  t.after(() => repo.close());
  const id = repo.objects.ensureObject(SMALL);
  await writeStream(repo, 'stream', { objects: [id], ref: 'name' });
  assert.deepEqual((await repo.fsck(IN_THREAD)).errors, []);
  // The right content, with verity of another algorithm: no file of this repository, and no wrong one either.
  replace(repo.objects, repo.objects.path(id), SMALL);
  withFd(repo.objects.path(id), (fd) => enableVerityWithRetry(fd, 'sha512'));
  for (const options of [IN_THREAD, { threads: 2 }]) {
    const { errors, objectsCorrupted } = await repo.fsck(options);
    assert.equal(objectsCorrupted, 0);
    assert.deepEqual(
      errors.map((error) => [error.type, 'objectId' in error && error.objectId]),
      [['object-check-failed', id]],
    );
  }
});

test('an insecure repository enables verity all the same', { skip }, async (t) => {
  const { repo } = await Repository.init(join(tempDir(t, verityDirectory), 'repo'), {
    algorithm: 'sha256',
    insecure: true,
  });
  t.after(() => repo.close());
  assert.equal(repo.insecure, true);
  assert.equal(measure(join(repo.path, 'meta.json'), 'sha256'), undefined);
  for (const id of [repo.objects.ensureObject(SMALL), repo.objects.ensureObjectFromChunks([LARGE]).id]) {
    assert.equal(measure(repo.objects.path(id), 'sha256'), id);
  }
  const { repo: again, created } = await Repository.init(repo.path, { algorithm: 'sha256', insecure: false });
  again.close();
  assert.deepEqual([created, again.insecure], [false, true]);
});

test('files are imported with verity', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const source = join(tempDir(t, verityDirectory), 'source');
  for (const [index, zeroCopy] of [false, true].entries()) {
    const content = Buffer.concat([LARGE, Buffer.from([index])]);
    writeFileSync(source, content);
    const fd = openSync(source, 'r');
    const stored = repo.objects.ensureObjectFromFile(fd, content.length, new ImportContext({ zeroCopy }));
    closeSync(fd);
    unlinkSync(source);
    assert.ok(hasCapability('CAP_DAC_READ_SEARCH') ? stored.method !== 'copied' : true, stored.method);
    assert.equal(stored.id, computeVerity('sha256', content));
    assert.equal(measure(repo.objects.path(stored.id), 'sha256'), stored.id);
  }
});

test('a file that is open for writing is imported as a copy', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const source = join(tempDir(t, verityDirectory), 'source');
  writeFileSync(source, LARGE);
  const writer = openSync(source, 'r+');
  const fd = openSync(source, 'r');
  try {
    const { id, method } = repo.objects.ensureObjectFromFile(fd, LARGE.length, new ImportContext());
    assert.ok(method === 'copied' || method === 'reflinked', method);
    assert.equal(measure(repo.objects.path(id), 'sha256'), id);
    // Its own inode: writing to the source does not reach it.
    assert.equal(measure(source, 'sha256'), undefined);
  } finally {
    closeSync(fd);
    closeSync(writer);
  }
});

test('images are opened with verity, by digest and by reference', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const object = { id: repo.objects.ensureObject(SMALL), size: SMALL.length };
  const id = await repo.commitImage(treeOf(object), 'name');
  for (const name of [id, 'name', 'refs/name']) {
    const { fd, enableVerity } = repo.openImage(name);
    closeSync(fd);
    assert.equal(enableVerity, true, name);
  }
  const image = Buffer.from(repo.objects.readObject(id));
  replace(repo.objects, repo.objects.path(id), image);
  assert.throws(
    () => repo.openImage(id),
    (error) => /Measuring image verity digest/.test(fullMessage(error)),
  );
  repo.setInsecure();
  for (const name of [id, 'name']) {
    const { fd, enableVerity } = repo.openImage(name);
    closeSync(fd);
    assert.equal(enableVerity, false, name);
  }
});

test('an image under the digest of another one is refused', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const [one, two] = [await repo.commitImageVersion(treeOf(), 1), await repo.commitImageVersion(treeOf(), 2)];
  unlinkSync(join(repo.path, 'images', one));
  repo.symlink(`images/${one}`, `objects/${two.slice(0, 2)}/${two.slice(2)}`);
  assert.throws(
    () => repo.openImage(one),
    (error) => /fs-verity content mismatch/.test(fullMessage(error)),
  );
});

test('garbage is collected in a secure repository', { skip }, async (t) => {
  const repo = await secureRepository(t);
  const kept = repo.objects.ensureObject(SMALL);
  repo.objects.ensureObject(LARGE);
  await writeStream(repo, 'stream', { objects: [kept], ref: 'name' });
  assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 1);
  assert.deepEqual((await repo.fsck(IN_THREAD)).errors, []);
});

test('an old repository with verity becomes a secure one', { skip }, async (t) => {
  const repo = await secureRepository(t, 'sha512');
  repo.objects.ensureObject(SMALL);
  unlinkSync(join(repo.path, 'meta.json'));
  assert.equal(inferRepoAlgorithm(repo.path), 'sha512');
  const { repo: upgraded } = await Repository.openUpgrade(repo.path);
  upgraded.close();
  assert.equal(upgraded.insecure, false);
});

test('a flat store enables verity', { skip }, (t) => {
  const path = tempDir(t, verityDirectory);
  const store = FlatDigestStore.open(join(path, 'store'), 'sha256', false);
  writeFileSync(join(path, 'source'), LARGE);
  const fd = openSync(join(path, 'source'), 'r');
  const id = store.ensureObjectFromFd(fd, LARGE.length);
  closeSync(fd);
  assert.equal(measure(join(store.path, id.slice(0, 2), id.slice(2)), 'sha256'), id);
  assert.equal(filesBelow(store.path).length, 1);
});
