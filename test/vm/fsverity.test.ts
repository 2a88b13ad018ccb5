import assert from 'node:assert/strict';
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { HASH_ALGORITHMS, type HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import {
  CompareVerityError,
  EnableVerityError,
  enableVerityMaybeCopy,
  enableVerityRaw,
  enableVerityWithRetry,
  ensureVerityEqual,
  hasVerity,
  MeasureVerityError,
  measureVerity,
  measureVerityOpt,
} from '../../src/composefs/fsverity/kernel.js';
import { withTempDir } from '../support/paths.js';

/** A directory on a file system with fs-verity: ext4 made with `-O verity`, or btrfs. */
const { COMPOSEFS_TEST_VERITY_DIR: verityDirectory = '' } = process.env;
const skip = verityDirectory === '' ? 'COMPOSEFS_TEST_VERITY_DIR names no directory with fs-verity' : false;

const OTHER: Readonly<Record<HashAlgorithm, HashAlgorithm>> = { sha256: 'sha512', sha512: 'sha256' };

test('the kernel measures the digest that is computed', { skip }, () => {
  const sizes = new Set([4095, 4096, 4097, 262144, 262145, 524287, 524288, 524289, 528384, 528385, 1048576]);
  for (const a of [32, 64]) {
    for (const l3 of [0, 1]) {
      for (const l2 of [-1, 0, 1]) {
        for (const l1 of [-1, 0, 1]) for (const l0 of [-1, 0, 1]) sizes.add(a ** 3 * l3 + a ** 2 * l2 + a * l1 + l0);
      }
    }
  }
  for (const algorithm of HASH_ALGORITHMS) {
    for (const size of sizes) {
      if (size < 0) continue;
      const data = Buffer.alloc(size, 0x5a);
      withFile(data, (fd) => {
        enableVerityRaw(fd, algorithm);
        assert.equal(measureVerity(fd, algorithm), computeVerity(algorithm, data), `${algorithm} of ${size} bytes`);
      });
    }
  }
});

for (const algorithm of HASH_ALGORITHMS) {
  test(`${algorithm}: a file without fs-verity has none`, { skip }, () => {
    withFile('hello world', (fd) => {
      assert.throws(() => measureVerity(fd, algorithm), isMeasureError('verity-missing'));
      assert.throws(() => measureVerity(fd, algorithm), { message: 'fs-verity is not enabled on file' });
      assert.equal(measureVerityOpt(fd, algorithm), undefined);
      assert.equal(hasVerity(fd, algorithm), false);
      const id = computeVerity(algorithm, Buffer.from('hello world'));
      assert.throws(
        () => ensureVerityEqual(fd, id, algorithm),
        (error) =>
          error instanceof CompareVerityError &&
          error.kind === 'measure' &&
          error.message === 'failed to read verity' &&
          isMeasureError('verity-missing')(error.cause),
      );
    });
  });

  test(`${algorithm}: a file with fs-verity is measured and compared`, { skip }, () => {
    withFile('hello world', (fd) => {
      enableVerityWithRetry(fd, algorithm);
      const id = computeVerity(algorithm, Buffer.from('hello world'));
      assert.equal(measureVerity(fd, algorithm), id);
      assert.equal(measureVerityOpt(fd, algorithm), id);
      assert.equal(hasVerity(fd, algorithm), true);
      ensureVerityEqual(fd, id, algorithm);
      const other = computeVerity(algorithm, Buffer.from('hello'));
      assert.throws(
        () => ensureVerityEqual(fd, other, algorithm),
        (error) =>
          error instanceof CompareVerityError &&
          error.kind === 'digest-mismatch' &&
          error.message === `Expected digest ${other} but found ${id}`,
      );
    });
  });

  test(`${algorithm}: fs-verity of the other algorithm is an error`, { skip }, () => {
    const [kind, message] =
      algorithm === 'sha256'
        ? (['invalid-digest-size', 'Expected digest size 32'] as const)
        : (['invalid-digest-algorithm', 'Expected algorithm 2, found 1'] as const);
    withFile('hello world', (fd) => {
      enableVerityRaw(fd, OTHER[algorithm]);
      for (const ask of [measureVerity, measureVerityOpt, hasVerity]) {
        assert.throws(() => ask(fd, algorithm), isMeasureError(kind));
        assert.throws(() => ask(fd, algorithm), { message });
      }
    });
  });

  test(`${algorithm}: enabling twice is an error`, { skip }, () => {
    withFile('hello world', (fd) => {
      enableVerityRaw(fd, algorithm);
      assert.throws(() => enableVerityWithRetry(fd, algorithm), isEnableError('already-enabled'));
      assert.throws(() => enableVerityRaw(fd, algorithm), { message: 'fs-verity is already enabled on file' });
    });
  });

  test(`${algorithm}: a file that is open for writing is refused, or copied`, { skip }, () => {
    withFile('hello world', (fd, path) => {
      const writer = openSync(path, 'r+');
      try {
        assert.throws(() => enableVerityRaw(fd, algorithm), isEnableError('file-opened-for-write'));
        assert.throws(() => enableVerityWithRetry(fd, algorithm), { message: 'File is opened for writing' });
        const copy = enableVerityMaybeCopy(verityDirectory, fd, algorithm);
        assert(copy !== undefined);
        try {
          assert.equal(measureVerity(copy, algorithm), computeVerity(algorithm, Buffer.from('hello world')));
          assert.equal(readFileSync(`/proc/self/fd/${copy}`, 'utf8'), 'hello world');
          assert.notEqual(fstatSync(copy).ino, statSync(path).ino);
          assert.equal(fstatSync(copy).nlink, 0);
          assert.equal(fstatSync(copy).mode & 0o777, 0o640);
        } finally {
          closeSync(copy);
        }
        assert.equal(hasVerity(fd, algorithm), false);
      } finally {
        closeSync(writer);
      }
      assert.equal(enableVerityMaybeCopy(verityDirectory, fd, algorithm), undefined);
      assert.equal(hasVerity(fd, algorithm), true);
    });
  });
}

test('enabling waits for a writer that is about to close', { skip }, async () => {
  const path = join(verityDirectory, `waiting-${process.pid}`);
  writeFileSync(path, 'x', { mode: 0o640 });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    const { workerData } = require('node:worker_threads');
    const { closeSync, openSync } = require('node:fs');
    const fd = openSync(workerData.path, 'r+');
    Atomics.store(workerData.gate, 0, 1); Atomics.notify(workerData.gate, 0);
    Atomics.wait(workerData.gate, 0, 1);
    closeSync(fd);`;
  const worker = new Worker(code, { eval: true, workerData: { path, gate } });
  const fd = openSync(path, 'r');
  try {
    await new Promise((resolve, reject) => worker.once('online', resolve).once('error', reject));
    Atomics.wait(gate, 0, 0, 10_000);
    assert.throws(() => enableVerityRaw(fd, 'sha256'), isEnableError('file-opened-for-write'));
    Atomics.store(gate, 0, 2);
    Atomics.notify(gate, 0);
    // How soon the other thread runs is not ours to say: some attempts of three each.
    for (let attempt = 0; attempt < 100 && !hasVerity(fd, 'sha256'); attempt++) {
      try {
        enableVerityWithRetry(fd, 'sha256');
      } catch (error) {
        assert(isEnableError('file-opened-for-write')(error));
      }
    }
    assert(hasVerity(fd, 'sha256'));
  } finally {
    closeSync(fd);
    unlinkSync(path);
    await worker.terminate();
  }
});

test('a writable descriptor, a directory and a bad signature are errors of their kinds', { skip }, (t) => {
  withFile('x', (_, path) => {
    const writer = openSync(path, 'r+');
    try {
      assert.throws(() => enableVerityRaw(writer, 'sha256'), isEnableError('file-opened-for-write'));
    } finally {
      closeSync(writer);
    }
  });
  const directory = openSync(verityDirectory, constants.O_RDONLY);
  try {
    assert.throws(() => enableVerityRaw(directory, 'sha256'), isEnableError('io'));
    assert.throws(() => enableVerityRaw(directory, 'sha256'), { code: 'EISDIR' });
  } finally {
    closeSync(directory);
  }
  withFile('x', (fd) => {
    try {
      enableVerityRaw(fd, 'sha256', Buffer.from('no signature'));
      t.diagnostic('this kernel ignores signatures');
    } catch (error) {
      assert(error instanceof EnableVerityError);
      assert(error.kind === 'io' || error.kind === 'signature-verification-failed', error.message);
      t.diagnostic(`bad signature: ${error.code} ${error.message}`);
    }
  });
});

test('a file system without fs-verity says so', { skip }, () => {
  withTempDir((directory) => {
    const path = join(directory, 'file');
    writeFileSync(path, 'x');
    const isElsewhere = statSync(path).dev !== statSync(verityDirectory).dev;
    for (const other of isElsewhere ? [path, '/proc/version'] : ['/proc/version']) {
      const fd = openSync(other, 'r');
      try {
        assert.throws(() => enableVerityRaw(fd, 'sha256'), isEnableError('filesystem-not-supported'));
        assert.throws(() => measureVerity(fd, 'sha256'), isMeasureError('filesystem-not-supported'));
        assert.equal(measureVerityOpt(fd, 'sha256'), undefined);
        assert.equal(hasVerity(fd, 'sha256'), false);
      } finally {
        closeSync(fd);
      }
    }
  });
});

let files = 0;

/** A fresh file on the verity file system, open for reading. */
function withFile(content: string | Buffer, action: (fd: number, path: string) => void): void {
  const path = join(verityDirectory, `file-${process.pid}-${files++}`);
  writeFileSync(path, content, { mode: 0o640 });
  const fd = openSync(path, 'r');
  try {
    action(fd, path);
  } finally {
    closeSync(fd);
    unlinkSync(path);
  }
}

function isEnableError(kind: EnableVerityError['kind']): (error: unknown) => boolean {
  return (error) => error instanceof EnableVerityError && error.kind === kind;
}

function isMeasureError(kind: MeasureVerityError['kind']): (error: unknown) => boolean {
  return (error) => error instanceof MeasureVerityError && error.kind === kind;
}
