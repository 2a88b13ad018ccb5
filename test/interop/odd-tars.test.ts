import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import { Repository } from '../../src/composefs/repository/index.js';
import { Directory } from '../../src/composefs/tree/inode.js';
import { UNINITIALIZED_STAT } from '../../src/composefs/tree/stat.js';
import { fullMessage } from '../../src/errors.js';
import { isOciFsckOk, ociFsck } from '../../src/oci/fsck/fsck.js';
import { pull } from '../../src/oci/import/pull.js';
import type { Applier } from '../../src/oci/layer/apply-layer.js';
import { LayerApplier } from '../../src/oci/layer/apply-layer.js';
import { ReferenceLayerApplier } from '../../src/oci/layer/apply-layer-reference.js';
import { LayerDifferences } from '../../src/oci/layer/layer-rules.js';
import { readTarEntries } from '../../src/oci/layer/tar-entry.js';
import { transformForOci } from '../../src/oci/tree/transform.js';
import { RecordingReporter } from '../../src/progress.js';
import type { TarRules } from '../../src/tar/header.js';
import { importTar, openSplitStream } from '../oci/layer/layer-support.js';
import { describeDirectory, describeTree } from '../support/describe-directory.js';
import { dumpOf } from '../support/dumpfiles.js';
import { MemoryStore } from '../support/memory-store.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { oddTars } from '../support/odd-tars.js';
import { withTempDir } from '../support/paths.js';
import { findInPath, referenceCfsctl, runProgram } from '../support/programs.js';
import { dumpOfReference } from '../support/reference-dump.js';
import { sparseFile, sparseTars } from '../support/sparse-tars.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';

/**
 * Tars of strange writers give the tree that umoci, and so Go, makes of them; by the rules of the reference that of
 * composefs-rs, and it is said where the two differ. `COMPOSEFS_TEST_INTEROP` is the number of tars,
 * `COMPOSEFS_TEST_SEED` the first of their seeds.
 */
const { COMPOSEFS_TEST_INTEROP = '6', COMPOSEFS_TEST_SEED = '1' } = process.env;
const COUNT = Number(COMPOSEFS_TEST_INTEROP);

const isRoot = process.getuid?.() === 0;
const noUmoci = findInPath('umoci') === undefined ? 'umoci is not installed' : isRoot ? false : 'owners need root';
const reference = referenceCfsctl();
const noReference = reference === undefined ? 'cfsctl of composefs-rs is not installed (COMPOSEFS_RS_CFSCTL)' : false;

function* tars(withSparse: boolean): Generator<{ seed: number; tar: Buffer }> {
  for (let index = 0; index < COUNT; index++) {
    const seed = Number(COMPOSEFS_TEST_SEED) + index;
    const [tar = Buffer.alloc(0)] = fc.sample(oddTars(withSparse), { seed, numRuns: 1 });
    yield { seed, tar };
  }
}

test('what umoci takes gives its tree', { skip: noUmoci }, (context) => {
  let taken = 0;
  for (const { seed, tar } of tars(true)) {
    withTempDir((directory) => {
      const layout = new LayoutBuilder().addImage(buildImage([tar]), { tag: 'a' }).write(join(directory, 'layout'));
      const bundle = join(directory, 'bundle');
      try {
        runProgram('umoci', ['raw', 'unpack', '--image', `${layout}:a`, bundle]);
      } catch {
        return;
      }
      taken++;
      const expected = describeDirectory(bundle, (name) => name.startsWith('user.'));
      const store = new MemoryStore();
      const root = treeOf(tar, store, 'standard', (empty) => new LayerApplier(empty));
      const found = describeTree(root, { algorithm: 'sha256', readObjectChunks: (id) => [store.readObject(id)] });
      for (const tree of [expected, found]) tree.delete('');
      assert.deepEqual(found, expected, `seed ${seed}`);
    });
  }
  assert(taken > COUNT / 3, `umoci took ${taken} of ${COUNT}`);
  context.diagnostic(`${taken} of ${COUNT} taken by umoci`);
});

test('what composefs-rs takes gives its tree, or it is said that it does not', { skip: noReference }, (context) => {
  let [taken, different] = [0, 0];
  for (const { seed, tar } of tars(false)) {
    const theirs = dumpOfReference([tar]);
    if (theirs === undefined) continue;
    taken++;
    const store = new MemoryStore();
    const same = byReferenceRules(tar, store);
    if (same !== undefined) assert.equal(same, theirs, `seed ${seed}`);
    const differences = new LayerDifferences();
    const ours = treeOf(tar, store, 'standard', (root) => new LayerApplier(root, differences));
    transformForOci(ours, {});
    if (dumpOf(ours) === theirs) continue;
    different++;
    const reporter = new RecordingReporter();
    differences.report(reporter);
    assert.notEqual(reporter.events.length, 0, `seed ${seed}`);
  }
  context.diagnostic(`${taken} of ${COUNT} taken by composefs-rs, ${different} with another tree`);
});

/** Undefined: it makes names with NULs, which no kernel can show, or objects of the headers after an entry. */
function byReferenceRules(tar: Buffer, store: MemoryStore): string | undefined {
  try {
    const root = treeOf(tar, store, 'reference', (empty) => new ReferenceLayerApplier(empty));
    transformForOci(root, { strict: true });
    return dumpOf(root);
  } catch (error) {
    assert.match(
      fullMessage(error),
      /Invalid filename|incorrectly stored a large|Unexpected external reference|Unexpectedly small inline|tar stream/,
    );
    return undefined;
  }
}

test('composefs-rs gives back tars with sparse files, and keeps their objects', { skip: noReference }, async () => {
  await withTempDir(async (directory) => {
    const path = join(directory, 'repo');
    const content = sparseFile(3_000_000, [
      [1000, 70],
      [2_000_000, 5000],
    ]);
    const members = Object.values(sparseTars(content, 'usr/sparse'));
    const tar = tarArchive([tarDirectory('usr'), ...members, tarFile('usr/whole', content.whole ?? Buffer.alloc(0))]);
    const image = buildImage([tar]);
    const layout = new LayoutBuilder().addImage(image, { tag: 'a' }).write(join(directory, 'layout'));
    const { repo } = await Repository.init(path, { insecure: true, algorithm: 'sha256' });
    await pull(repo, `oci:${layout}:a`, 'a');
    await repo.close();
    const run = (...args: string[]): Buffer => runProgram(reference ?? '', ['--repo', path, ...args]);
    assert.deepEqual(run('oci', 'layer', image.diffIds[0] ?? ''), tar);
    run('gc');
    assert.match(run('oci', 'fsck').toString(), /status: ok/);
    await using again = await Repository.open(path);
    assert(isOciFsckOk(await ociFsck(again)));
    assert(again.objects.has(computeVerity('sha256', content.whole ?? Buffer.alloc(0))));
  });
});

function treeOf(
  tar: Buffer,
  store: MemoryStore,
  rules: TarRules,
  makeApplier: (root: Directory) => Applier,
): Directory {
  const root = new Directory(UNINITIALIZED_STAT);
  const applier = makeApplier(root);
  applier.startLayer('layer');
  const { splitStream } = importTar(tar, store);
  for (const entry of readTarEntries(openSplitStream(splitStream, store), rules)) applier.apply(entry);
  return root;
}
