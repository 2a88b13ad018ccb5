import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeDumpfile } from '../../src/composefs/dumpfile/writer.js';
import { LayerApplier } from '../../src/oci/layer/apply-layer.js';
import { readTarEntries } from '../../src/oci/layer/tar-entry.js';
import { applyLayers } from '../oci/layer/entries.js';
import { importTar, openSplitStream } from '../oci/layer/layer-support.js';
import { UmociModel } from '../oci/layer/umoci-model.js';
import { describeDirectory, describeTree, type PathDescription } from '../support/describe-directory.js';
import { MemoryStore } from '../support/memory-store.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { layerTar, type OddLayer, oddLayers } from '../support/odd-layers.js';
import { withTempDir } from '../support/paths.js';
import { findInPath, runProgram } from '../support/programs.js';

/**
 * Random odd layers give the tree that umoci unpacks: names, types, modes, owners, times, xattrs, link counts, content.
 * `COMPOSEFS_TEST_INTEROP` is the number of images, `COMPOSEFS_TEST_SEED` the first of their seeds.
 */
const { COMPOSEFS_TEST_INTEROP = '6', COMPOSEFS_TEST_SEED = '1' } = process.env;
const COUNT = Number(COMPOSEFS_TEST_INTEROP);

const umoci = findInPath('umoci');
const skip =
  umoci === undefined ? 'umoci is not installed' : process.getuid?.() !== 0 ? 'unpacking owners needs root' : false;

test('random layers give the tree that umoci unpacks', { skip }, (context) => {
  const start = BigInt(Date.now()) * 1_000_000n - 60_000_000_000n;
  let paths = 0;
  let refused = 0;
  for (let index = 0; index < COUNT; index++) {
    const seed = Number(COMPOSEFS_TEST_SEED) + index;
    const layers = takenByUmoci(randomLayers(seed));
    const expected = unpack(layers);
    if (expected === undefined) {
      refused++;
      continue;
    }
    const found = treeOf(layers);
    // The root's own metadata come from /usr in the end.
    for (const tree of [expected, found]) tree.delete('');
    for (const [path, description] of expected) {
      // What umoci does not set it leaves as it came: directories without entries, and those that a whiteout changed.
      const own = found.get(path);
      const isOwn = BigInt(description.mtime) < start || own === undefined || !description.mode.startsWith('4');
      if (!isOwn) expected.set(path, { ...description, mtime: own.mtime });
    }
    assert.deepEqual(found, expected, `seed ${seed}: ${JSON.stringify(layers)}`);
    paths += found.size;
  }
  assert(refused < COUNT / 4, `umoci refused ${refused} of ${COUNT}`);
  assert(paths > COUNT, `${paths} paths`);
  context.diagnostic(`${COUNT} images, ${paths} paths, ${refused} refused by umoci`);
});

function randomLayers(seed: number): OddLayer[] {
  return (
    fc.sample(oddLayers({ maxLayers: 5, minEntries: 5, maxEntries: 25, rich: true }), { seed, numRuns: 1 })[0] ?? []
  );
}

/** Without the entries at which umoci would stop. */
function takenByUmoci(layers: readonly OddLayer[]): OddLayer[] {
  const model = new UmociModel();
  return layers.map((layer) => {
    model.startLayer();
    return layer.filter((entry) => model.apply(entry));
  });
}

/** Undefined: umoci refuses the image. */
function unpack(layers: readonly OddLayer[]): Map<string, PathDescription> | undefined {
  return withTempDir((directory) => {
    const image = buildImage(layers.map(layerTar));
    const layout = new LayoutBuilder().addImage(image, { tag: 'a' }).write(join(directory, 'layout'));
    const bundle = join(directory, 'bundle');
    try {
      runProgram('umoci', ['raw', 'unpack', '--image', `${layout}:a`, bundle]);
    } catch {
      return undefined;
    }
    return describeDirectory(bundle, (name) => name.startsWith('user.') || name === 'security.capability');
  });
}

function treeOf(layers: readonly OddLayer[]): Map<string, PathDescription> {
  const store = new MemoryStore();
  const entries = layers.map((layer) => {
    const { splitStream } = importTar(layerTar(layer), store);
    return [...readTarEntries(openSplitStream(splitStream, store))];
  });
  const root = applyLayers((directory) => new LayerApplier(directory), entries);
  assert.ok([...writeDumpfile(root)].length > 0);
  return describeTree(root, { algorithm: 'sha256', readObjectChunks: (id) => [store.readObject(id)] });
}
