import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../src/bytes/byte-string.js';
import { Directory } from '../../src/composefs/tree/inode.js';
import { UNINITIALIZED_STAT } from '../../src/composefs/tree/stat.js';
import { fullMessage } from '../../src/errors.js';
import { LayerApplier } from '../../src/oci/layer/apply-layer.js';
import { ReferenceLayerApplier } from '../../src/oci/layer/apply-layer-reference.js';
import { LayerDifferences } from '../../src/oci/layer/layer-rules.js';
import type { TarEntry } from '../../src/oci/layer/tar-entry.js';
import { transformForOci } from '../../src/oci/tree/transform.js';
import { RecordingReporter } from '../../src/progress.js';
import { applyLayers, STAT } from '../oci/layer/entries.js';
import { entriesOf } from '../oci/layer/layer-support.js';
import { dumpOf } from '../support/dumpfiles.js';
import { layerTar, type OddLayer, oddLayers } from '../support/odd-layers.js';
import { referenceCfsctl } from '../support/programs.js';
import { dumpOfReference } from '../support/reference-dump.js';

/**
 * The layer rules `reference` give the tree of composefs-rs, and `oci` give the same one or say where it differs. Random
 * layers, less what composefs-rs refuses. `COMPOSEFS_TEST_INTEROP` is the number of images, `COMPOSEFS_TEST_SEED` the
 * first of their seeds.
 */
const { COMPOSEFS_TEST_INTEROP = '6', COMPOSEFS_TEST_SEED = '1' } = process.env;
const COUNT = Number(COMPOSEFS_TEST_INTEROP);

const reference = referenceCfsctl();
const skip = reference === undefined ? 'cfsctl of composefs-rs is not installed (COMPOSEFS_RS_CFSCTL)' : false;

const USR: TarEntry = { path: '/usr' as ByteString, stat: { ...STAT, mtimeSec: 7 }, item: { type: 'directory' } };

test('random layers give the trees of composefs-rs, or it is said that they do not', { skip }, (context) => {
  let [lines, different] = [0, 0];
  for (let index = 0; index < COUNT; index++) {
    const seed = Number(COMPOSEFS_TEST_SEED) + index;
    const [random = []] = fc.sample(oddLayers({ maxLayers: 5, minEntries: 5, maxEntries: 40, rich: true }), {
      seed,
      numRuns: 1,
    });
    const layers = takenByReference([...random, [USR]]);
    const theirs = dumpOfReference(layers.map(layerTar)) ?? assert.fail(`seed ${seed} was refused`);
    const entries = layers.map((layer) => entriesOf(layerTar(layer)));
    const same = treeOf(
      applyLayers((root) => new ReferenceLayerApplier(root), entries),
      true,
    );
    assert.equal(same, theirs, `seed ${seed}`);
    const { ours, messages } = byOciRules(entries);
    if (messages === 0) assert.equal(ours, theirs, `seed ${seed}: ${JSON.stringify(layers)}`);
    if (ours !== theirs) different++;
    lines += theirs.split('\n').length - 1;
  }
  assert(lines > 2 * COUNT && different < COUNT / 2);
  context.diagnostic(`${COUNT} images, ${lines} paths, ${different} with another tree`);
});

/** The tree, and in how many kinds it is said to differ from that of the reference. */
function byOciRules(layers: readonly TarEntry[][]): { ours: string; messages: number } {
  const differences = new LayerDifferences();
  const reporter = new RecordingReporter();
  try {
    const ours = treeOf(
      applyLayers((root) => new LayerApplier(root, differences), layers),
      false,
    );
    differences.report(reporter);
    return { ours, messages: reporter.events.length };
  } catch (error) {
    // The reference takes this for the root, and does not look for the parent.
    assert.match(fullMessage(error), /container layer file ".*\/\.\." directory: /);
    return { ours: 'refused', messages: 1 };
  }
}

/** Without the entries that the reference refuses. */
function takenByReference(layers: readonly OddLayer[]): OddLayer[] {
  const applier = new ReferenceLayerApplier(new Directory(UNINITIALIZED_STAT));
  return layers.map((layer) =>
    layer.filter((entry) => {
      try {
        applier.apply(entry);
        return true;
      } catch {
        return false;
      }
    }),
  );
}

function treeOf(root: Directory, strict: boolean): string {
  transformForOci(root, { strict });
  return dumpOf(root);
}
