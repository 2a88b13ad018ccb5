import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { Directory, Leaf, type LeafContent, type RegularFile } from '../../../src/composefs/tree/inode.js';
import { readFile } from '../../../src/composefs/tree/read-file.js';
import { NO_XATTRS, type Stat, UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { treeTar } from '../../../src/composefs/tree/tree-tar.js';
import { filterXattrs, mapRegular } from '../../../src/composefs/tree/walk.js';
import { importLayer } from '../../../src/oci/import/layer/import-layer.js';
import { LayerApplier } from '../../../src/oci/layer/apply-layer.js';
import { openLayerStream } from '../../../src/oci/layer/layer-content.js';
import { LayerDifferences } from '../../../src/oci/layer/layer-rules.js';
import { readTarEntries } from '../../../src/oci/layer/tar-entry.js';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { chunksOf, tempDir, tempRepository } from '../../oci/oci-support.js';
import { describeDirectory } from '../../support/describe-directory.js';
import { randomTree } from '../../support/random-tree.js';
import { assertSameTree } from '../../support/same-tree.js';

const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 1000, mtimeNsec: 0, xattrs: NO_XATTRS };
const name = (text: string): ByteString => text as ByteString;

function contentOf(id: ObjectId, size: number): Buffer {
  return Buffer.alloc(size, id.slice(0, 8));
}

/** External files have a content of their own; as inline files, whatever they were. */
function withInline(root: Directory, read: (file: RegularFile) => Buffer): Directory {
  return mapRegular(root, (file) => ({ storage: 'inline', data: Buffer.from(read(file)) }));
}

/** A tar has no sockets, and in a layer some names are whiteouts. */
function isPlain(root: Directory): boolean {
  const all = [root];
  for (let next = all.pop(); next !== undefined; next = all.pop()) {
    for (const [name, inode] of next.entries()) {
      if (name.startsWith('.wh.')) return false;
      if (inode instanceof Directory) all.push(inode);
      else if (inode.content.type === 'socket') return false;
    }
  }
  return true;
}

test('a tar of a random tree is read as that tree', async (context) => {
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const options = { sparse: false, negativeMtime: true };
  const trees = randomTree(options).filter(isPlain);
  await fc.assert(
    fc.asyncProperty(trees, async (tree) => {
      // Only GNU tar reads such a name.
      filterXattrs(tree, (key) => !key.includes('='));
      const sizes = new Map<ObjectId, number>();
      mapRegular(tree, (file) => {
        if (file.storage === 'external') sizes.set(file.id, file.size % 3000);
        return file;
      });
      // One object has one size.
      const sized = mapRegular(tree, (file) =>
        file.storage === 'external' ? { ...file, size: sizes.get(file.id) ?? 0 } : file,
      );
      const objects = {
        algorithm: 'sha256' as const,
        readObjectChunks: (id: ObjectId) => [contentOf(id, sizes.get(id) ?? 0)],
      };
      const tar = Buffer.concat([...treeTar(sized, objects)]);
      const { verity } = await importLayer(repo, sha256ContentDigest(tar), undefined, chunksOf(tar));
      const root = new Directory(UNINITIALIZED_STAT);
      const applier = new LayerApplier(root, new LayerDifferences());
      applier.startLayer('layer');
      const reader = openLayerStream(repo.objects, verity);
      for (const entry of readTarEntries(reader)) applier.apply(entry);
      reader.close();
      assertSameTree(
        withInline(root, (file) => readFile(file, repo.objects)),
        withInline(sized, (file) => (file.storage === 'inline' ? file.data : readFile(file, objects))),
      );
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
});

function leaf(content: LeafContent, stat: Partial<Stat> = {}): Leaf {
  return new Leaf({ ...STAT, mode: 0o644, ...stat }, content);
}

const file = (data: string): LeafContent => ({ type: 'regular', file: { storage: 'inline', data: Buffer.from(data) } });
const NO_OBJECTS = { algorithm: 'sha256' as const, readObjectChunks: () => [] };

test('GNU tar unpacks it: long names, hard links, xattrs, times', (context) => {
  const root = new Directory({ ...STAT, mode: 0o750 });
  const deep = new Directory(STAT);
  const long = name('x'.repeat(200));
  const shared = leaf(file('shared\n'), { mtimeSec: -2, mtimeNsec: 250_000_000 });
  root.insert(name('d'), deep);
  root.insert(name('a'), shared);
  deep.insert(long, shared);
  deep.insert(name('sl'), leaf({ type: 'symlink', target: name('y'.repeat(150)) }, { mode: 0o777 }));
  deep.insert(name('x'), leaf(file(''), { xattrs: new Map([[name('user.k'), name('v=\n')]]) }));
  root.insert(name('sparse'), leaf({ type: 'regular', file: { storage: 'sparse', size: 300_000 } }));
  const target = join(tempDir(context), 'out');
  mkdirSync(target);
  const tar = Buffer.concat([...treeTar(root, NO_OBJECTS)]);
  const owner = process.getuid?.() === 0 ? ['--same-owner'] : ['--no-same-owner'];
  const { status, stderr } = spawnSync(
    'tar',
    ['-xpf', '-', '--warning=no-timestamp', '--xattrs', '--xattrs-include=*', ...owner, '-C', target],
    { input: tar },
  );
  assert.deepEqual({ status, stderr: stderr.toString() }, { status: 0, stderr: '' });
  const found = describeDirectory(target);
  const at = (path: string): NonNullable<ReturnType<typeof found.get>> => {
    const entry = found.get(path);
    assert.ok(entry !== undefined, path);
    return entry;
  };
  assert.deepEqual([...found.keys()].sort(), ['', 'a', 'd', 'd/sl', 'd/x', `d/${long}`, 'sparse'].sort());
  assert.equal(at('a').mtime, '-1750000000');
  assert.equal(at(`d/${long}`).sameAs, 'a');
  assert.equal(at('d/sl').target, 'y'.repeat(150));
});

test('a socket is left out, and told', () => {
  const root = new Directory(STAT);
  root.insert(name('s'), leaf({ type: 'socket' }));
  const skipped: string[] = [];
  const tar = Buffer.concat([...treeTar(root, NO_OBJECTS, { onSkipped: (path) => skipped.push(path) })]);
  assert.deepEqual(skipped, ['s']);
  assert.equal(tar.length, 512 + 1024);
});

test('an object of another length ends the tar', () => {
  const root = new Directory(STAT);
  const id = 'ab'.repeat(32) as ObjectId;
  root.insert(name('f'), leaf({ type: 'regular', file: { storage: 'external', id, size: 100 } }));
  const objects = { algorithm: 'sha256' as const, readObjectChunks: () => [Buffer.alloc(101)] };
  assert.throws(() => [...treeTar(root, objects)], { code: 'WRONG_FILE_SIZE' });
});
