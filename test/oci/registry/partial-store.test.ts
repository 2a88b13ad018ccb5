import assert from 'node:assert/strict';
import { existsSync, readdirSync, statfsSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RepositoryRoot } from '../../../src/composefs/repository/directory/root.js';
import { sweepPartialDownloads } from '../../../src/composefs/repository/gc/gc-leftovers.js';
import { type OciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import {
  openPartial,
  type PartialStoreOptions,
  partialStoreOptions,
  removePartial,
} from '../../../src/oci/registry/partial-store.js';
import { tempDir, tempRepository, tempRoot } from '../../composefs/repository/temp-repository.js';
import { runWithoutKoffi } from '../../support/without-koffi.js';

function digestOf(text: string): OciDigest {
  return sha256ContentDigest(Buffer.from(text));
}

function storeIn(root: RepositoryRoot, limits: Partial<PartialStoreOptions> = {}): PartialStoreOptions {
  return { ...partialStoreOptions(root), maxFiles: 4, maxBytes: 1000, ...limits };
}

function directoryOf(store: PartialStoreOptions): string {
  return join(store.root.path, '.partial');
}

function keep(store: PartialStoreOptions, name: string, content: string, size = 100): void {
  const partial = openPartial(store, digestOf(name), size);
  assert.ok(partial !== undefined);
  partial.append(Buffer.from(content));
  partial.close();
}

test('what was appended is there the next time', (context) => {
  const store = storeIn(tempRoot(context));
  keep(store, 'a', 'one');
  keep(store, 'a', 'two');
  const partial = openPartial(store, digestOf('a'), 100);
  assert.equal(partial?.size, 6);
  assert.equal(Buffer.concat([...(partial?.chunks() ?? [])]).toString(), 'onetwo');
  const path = join(directoryOf(store), digestOf('a'));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(directoryOf(store)).mode & 0o777, 0o700);
  partial?.close();
  removePartial(store, digestOf('a'));
  removePartial(store, digestOf('a'));
  assert.equal(existsSync(path), false);
});

test('a file has one writer', (context) => {
  const store = storeIn(tempRoot(context));
  const first = openPartial(store, digestOf('a'), 100);
  assert.equal(openPartial(store, digestOf('a'), 100), undefined);
  removePartial(store, digestOf('a'));
  assert.deepEqual(readdirSync(directoryOf(store)), [digestOf('a')]);
  first?.close();
  const second = openPartial(store, digestOf('a'), 100);
  assert.ok(second !== undefined);
  second.close();
});

test('a file that is longer than the blob is begun anew', (context) => {
  const store = storeIn(tempRoot(context));
  keep(store, 'a', 'too long');
  const partial = openPartial(store, digestOf('a'), 3);
  assert.equal(partial?.size, 0);
  partial?.close();
});

test('the oldest files make room, but not those in use', (context) => {
  const store = storeIn(tempRoot(context), { maxFiles: 3 });
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    keep(store, name, 'x'.repeat(100));
    utimesSync(join(directoryOf(store), digestOf(name)), index + 1, index + 1);
  }
  const inUse = openPartial(store, digestOf('a'), 100);
  keep(store, 'd', 'x');
  assert.deepEqual(readdirSync(directoryOf(store)).sort(), ['a', 'c', 'd'].map(digestOf).sort());
  inUse?.close();
  assert.equal(openPartial(store, digestOf('e'), 1001), undefined);
  keep(store, 'f', 'x', 1000);
  assert.deepEqual(readdirSync(directoryOf(store)), [digestOf('f')]);
});

test('where nothing can be kept there is no error', (context) => {
  const directory = tempDir(context);
  writeFileSync(join(directory, '.partial'), 'a file');
  const store = storeIn(tempRoot(context, directory));
  assert.equal(openPartial(store, digestOf('a'), 10), undefined);
  const other = storeIn(tempRoot(context));
  keep(other, 'b', 'x');
  symlinkSync('/dev/null', join(directoryOf(other), digestOf('a')));
  assert.equal(openPartial(other, digestOf('a'), 10), undefined);
});

test('garbage collection removes files of last week that nobody works on', async (context) => {
  const repo = await tempRepository(context);
  const store = storeIn(repo.root);
  const old = Date.now() / 1000 - 8 * 24 * 3600;
  for (const name of ['old', 'used', 'new']) keep(store, name, 'x');
  const used = openPartial(store, digestOf('used'), 100);
  for (const name of ['old', 'used']) utimesSync(join(directoryOf(store), digestOf(name)), old, old);
  assert.deepEqual(sweepPartialDownloads(repo, true), { count: 1, bytes: 1 });
  assert.deepEqual(sweepPartialDownloads(repo, false), { count: 1, bytes: 1 });
  assert.deepEqual(readdirSync(directoryOf(store)).sort(), ['new', 'used'].map(digestOf).sort());
  used?.close();
  await repo.gc({ threads: 0 });
  assert.deepEqual(readdirSync(directoryOf(store)), [digestOf('new')]);
});

test('a blob for which the disk is short is not kept, but one that was is gone on with', (context) => {
  const store = storeIn(tempRoot(context), { maxBytes: Number.MAX_SAFE_INTEGER });
  const { bavail, bsize } = statfsSync(tempDir(context));
  const size = Math.ceil((bavail * bsize) / 4);
  assert.equal(openPartial(store, digestOf('a'), size), undefined);
  keep(store, 'a', 'x');
  const partial = openPartial(store, digestOf('a'), size);
  assert.equal(partial?.size, 1);
  partial?.close();
});

test('without locks nothing is kept, not even an empty file', (context) => {
  const root = tempRoot(context);
  const result = runWithoutKoffi(
    ['composefs/repository/directory/root.js', 'oci/registry/partial-store.js'],
    `const options = partial.partialStoreOptions(root.RepositoryRoot.open(${JSON.stringify(root.path)}));
    print({ opened: partial.openPartial(options, 'sha256:${'0'.repeat(64)}', 1 << 20) ?? null });`,
  );
  assert.deepEqual(result, { opened: null });
  assert.equal(existsSync(join(root.path, '.partial')), false);
});
