import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { objectPathname } from '../../../src/composefs/fsverity/object-id.js';
import {
  type ContentDestination,
  type ContentJob,
  openDestination,
  storeContentsSteps,
} from '../../../src/composefs/scan/file-contents.js';
import { FlatStoreError, readDirectory } from '../../../src/composefs/scan/read-directory.js';
import { ScanError } from '../../../src/composefs/scan/scan-error.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { NO_XATTRS } from '../../../src/composefs/tree/stat.js';
import { errorChain, errorCode, findCause } from '../../../src/errors.js';
import { FileStatus, IDENTITY_WORDS } from '../../../src/linux/file-status.js';
import { runSteps } from '../../../src/threads/turns.js';
import { scanDirectory } from '../../support/at-once.js';
import { withTempDir } from '../../support/paths.js';
import { fillRandomDirectory } from '../../support/random-directory.js';
import { withFd } from '../../support/with-fd.js';
import { tempDir, tempRepository } from '../repository/temp-repository.js';

const NOWHERE: ContentDestination = { kind: 'none', algorithm: 'sha256' };

function dumpOf(root: Directory): string {
  return [...writeDumpfile(root)].join('\n');
}

function objectsIn(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(path, name)).isFile());
}

for (const [threads, ownThread] of [
  [0, undefined],
  [1, false],
  [3, false],
  [1, true],
  [2, true],
] as const) {
  const who = ownThread === true ? `${threads - 1} and the calling one` : `${threads}`;
  test(`threads read the tree that a scan reads, and store the same objects (${who})`, async (t) => {
    if (process.getuid?.() !== 0) return t.skip('random directories need root');
    const source = tempDir(t);
    fillRandomDirectory(source, 7);
    // Read in several pieces, and one of them before the others.
    for (const size of [3_000_001, 9_000_000])
      writeFileSync(join(source, `large${size}`), Buffer.alloc(size, `${size}`));
    const repo = await tempRepository(t);
    const expected = dumpOf(scanDirectory(source, { algorithm: 'sha512', store: repo.objects }));
    const objects = objectsIn(repo.objects.objectsPath);

    const other = await tempRepository(t);
    const destination = { kind: 'repository', objects: other.objects } as const;
    assert.equal(dumpOf(await readDirectory(source, { destination, threads, ownThread })), expected);
    assert.deepEqual(objectsIn(other.objects.objectsPath).sort(), objects.sort());

    const digests = dumpOf(scanDirectory(source, { algorithm: 'sha256', hardlinks: 'break' }));
    const options = { threads, ownThread, hardlinks: 'break' } as const;
    assert.equal(dumpOf(await readDirectory(source, { destination: NOWHERE, ...options })), digests);

    const flat = { kind: 'flat-store', path: join(tempDir(t), 'made', 'here'), algorithm: 'sha256' } as const;
    assert.equal(dumpOf(await readDirectory(source, { destination: flat, ...options })), digests);
    const named = new Set([...digests.matchAll(/ ([0-9a-f]{2}\/[0-9a-f]{62}) /g)].map(([, name]) => name));
    assert.deepEqual(new Set(objectsIn(flat.path)), named);
  });
}

test('a store is made only if there is something to put into it', () =>
  withTempDir(async (path) => {
    const source = join(path, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'small'), Buffer.alloc(64));
    const destination = { kind: 'flat-store', path: join(path, 'store'), algorithm: 'sha256' } as const;
    await readDirectory(source, { destination });
    assert.equal(existsSync(destination.path), false);
    writeFileSync(join(source, 'large'), Buffer.alloc(65));
    await readDirectory(source, { destination });
    assert.deepEqual(objectsIn(destination.path), [objectPathname(computeVerity('sha256', Buffer.alloc(65)))]);
  }));

for (const threads of [0, 2]) {
  test(`what cannot be read is the error of the scan, the first in its order (${threads} threads)`, () =>
    withTempDir(async (path) => {
      mkdirSync(join(path, 'a', 'b'), { recursive: true });
      for (const name of ['a/b/one', 'a/b/two', 'z']) writeFileSync(join(path, name), Buffer.alloc(100));
      const [first] = readdirSync(join(path, 'a', 'b'));
      let inodes = 0;
      const readXattrs = (): typeof NO_XATTRS => {
        // At the last one, all files were found: now two of them vanish.
        if (++inodes === 6) for (const name of ['one', 'two']) rmSync(join(path, 'a', 'b', name));
        return NO_XATTRS;
      };
      const options = { destination: NOWHERE, threads, readXattrs };
      const error = await readDirectory(path, options).catch((caught: unknown) => caught);
      assert.ok(error instanceof ScanError);
      assert.equal(errorCode(error), 'ENOENT');
      assert.equal(error.path, `${path}/a/b/${first}`);
      assert.deepEqual(errorChain(error).slice(0, -1), [
        `Scanning directory "${path}"`,
        'Scanning inode "a"',
        'Scanning directory "a"',
        'Scanning inode "b"',
        'Scanning directory "b"',
        `Scanning inode "${first}"`,
        `Scanning leaf "${first}"`,
        'Reading leaf content',
      ]);
    }));

  test(`a file that changes meanwhile is what it is at last, one that is replaced an error (${threads} threads)`, async (t) => {
    const path = tempDir(t);
    const repo = await tempRepository(t, { algorithm: 'sha256' });
    const destination = { kind: 'repository', objects: repo.objects } as const;
    const readWith = (change: () => void): Promise<Directory> => {
      for (const name of ['grows', 'shrinks', 'stays']) writeFileSync(join(path, name), Buffer.alloc(100));
      let inodes = 0;
      // The directory, and three files: all of them are found then.
      const readXattrs = (): typeof NO_XATTRS => {
        if (++inodes === 4) change();
        return NO_XATTRS;
      };
      return readDirectory(path, { destination, threads, readXattrs });
    };
    const root = await readWith(() => {
      appendFileSync(join(path, 'grows'), 'more');
      truncateSync(join(path, 'shrinks'), 10);
      chmodSync(join(path, 'grows'), 0o600);
    });
    assert.equal(dumpOf(root), dumpOf(scanDirectory(path, { algorithm: 'sha256' })));
    assert.equal(repo.objects.has(computeVerity('sha256', readFileSync(join(path, 'grows')))), true);

    const replaced = readWith(() => {
      writeFileSync(join(path, 'other'), 'x');
      renameSync(join(path, 'other'), join(path, 'stays'));
    });
    await assert.rejects(replaced, (error) => {
      assert.ok(error instanceof ScanError);
      assert.equal(error.path, `${path}/stays`);
      assert.equal(errorChain(error).at(-1), 'File was replaced while the directory was read');
      return errorCode(error) === 'FILE_CHANGED';
    });
  });

  test(`a store that cannot be opened is told from files that cannot be read (${threads} threads)`, () =>
    withTempDir(async (path) => {
      const source = join(path, 'source');
      mkdirSync(source);
      writeFileSync(join(source, 'large'), Buffer.alloc(65));
      writeFileSync(join(path, 'file'), '');
      const destination = { kind: 'flat-store', path: join(path, 'file', 'store'), algorithm: 'sha256' } as const;
      const error = await readDirectory(source, { destination, threads }).catch((caught: unknown) => caught);
      assert.equal(findCause(error, ScanError), undefined);
      assert.equal(findCause(error, FlatStoreError)?.message, `Storing in ${destination.path}`);
      assert.equal(errorCode(error), 'ENOTDIR');
    }));
}

for (const threads of [0, 2]) {
  test(`what a flat store fails with is told once (${threads} threads)`, () =>
    withTempDir(async (path) => {
      const source = join(path, 'source');
      mkdirSync(source);
      writeFileSync(join(source, 'large'), Buffer.alloc(65));
      const destination = { kind: 'flat-store', path: join(path, 'store'), algorithm: 'sha256' } as const;
      // Where the object's directory would be.
      mkdirSync(destination.path);
      writeFileSync(join(destination.path, computeVerity('sha256', Buffer.alloc(65)).slice(0, 2)), '');
      const error = await readDirectory(source, { destination, threads }).catch((caught: unknown) => caught);
      assert.ok(error instanceof ScanError);
      const chain = errorChain(error);
      assert.equal(chain.filter((message) => message === `Storing in ${destination.path}`).length, 1);
      assert.ok(findCause(error, FlatStoreError) instanceof FlatStoreError);
    }));
}

test('a file is read only if it is the one that was found', () =>
  withTempDir((path) => {
    const name = join(path, 'file');
    const result = (job: ContentJob): unknown => {
      const { ids, failures } = runSteps(storeContentsSteps(openDestination(NOWHERE), job));
      const failure = failures.get(0);
      return failure === undefined ? ids : [failure.error.code, failure.storing, ids];
    };
    writeFileSync(name, Buffer.alloc(100, 1));
    const identities = new Uint32Array(IDENTITY_WORDS);
    const status = new FileStatus();
    withFd(name, (fd) => status.readFd(fd));
    status.copyIdentity(identities, 0);
    const job: ContentJob = {
      paths: [byteStringFromText(name)],
      identities,
      sizes: Float64Array.of(100),
      withXattrs: true,
    };
    assert.deepEqual(result(job), [computeVerity('sha256', Buffer.alloc(100, 1))]);
    for (let word = 0; word < IDENTITY_WORDS; word++) {
      const changed = { ...job, identities: identities.with(word, (identities[word] ?? 0) ^ 1) };
      assert.deepEqual(result(changed), ['FILE_CHANGED', false, [undefined]]);
    }
    renameSync(name, `${name}.real`);
    symlinkSync(`${name}.real`, name);
    assert.deepEqual(result(job), ['ELOOP', false, [undefined]]);
    unlinkSync(name);
    execFileSync('mkfifo', [name]);
    assert.deepEqual(result(job), ['FILE_CHANGED', false, [undefined]]);
    unlinkSync(name);
    assert.deepEqual(result(job), ['ENOENT', false, [undefined]]);
  }));

test('files at paths that cannot be opened by name are stored too', async (t) => {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const path = tempDir(t);
  const name = 'x'.repeat(200);
  // Each mkdir has a short path of its own.
  const script = `cd "$1"; for i in $(seq 30); do mkdir ${name} && cd ${name}; done; head -c 100 /dev/zero > file`;
  execFileSync('bash', ['-c', script, 'bash', path]);
  const destination = { kind: 'repository', objects: repo.objects } as const;
  const root = await readDirectory(path, { destination, threads: 2 });
  const id = computeVerity('sha256', Buffer.alloc(100));
  assert.ok(dumpOf(root).includes(` ${objectPathname(id)} - ${id}`));
  assert.equal(repo.objects.has(id), true);
  execFileSync('rm', ['-rf', path]);
});

test('an abort ends the threads; no descriptor stays open, whatever happens', () =>
  withTempDir(async (path) => {
    for (let n = 0; n < 50; n++) writeFileSync(join(path, `f${n}`), Buffer.alloc(1_000_000, n));
    const count = (): number => readdirSync('/proc/self/fd').length;
    const before = count();
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(readDirectory(path, { destination: NOWHERE, threads: 2, signal }), { message: 'enough' });
    for (const ownThread of [false, true]) {
      const late = new AbortController();
      const running = readDirectory(path, { destination: NOWHERE, threads: 2, ownThread, signal: late.signal });
      late.abort(new Error('later'));
      await assert.rejects(running, { message: 'later' });
      await readDirectory(path, { destination: NOWHERE, threads: 2, ownThread });
    }
    assert.equal(count(), before);
  }));
