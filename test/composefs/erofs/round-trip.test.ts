import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  collectObjects,
  ErofsImage,
  type FormatVersion,
  fsckMetadata,
  readErofsTree,
  writeErofs,
} from '../../../src/composefs/erofs/index.js';
import type { HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import { randomTree } from '../../support/random-tree.js';
import { assertSameTree } from '../../support/same-tree.js';

const { COMPOSEFS_TEST_FUZZ = '150' } = process.env;
const runs = Number(COMPOSEFS_TEST_FUZZ);

for (const version of [0, 1, 2] as const satisfies FormatVersion[]) {
  for (const algorithm of ['sha256', 'sha512'] as const satisfies HashAlgorithm[]) {
    test(`a V${version} image of a random tree with ${algorithm} digests reads back as that tree`, () => {
      const trees = randomTree({
        algorithm,
        noVerity: true,
        negativeMtime: true,
        overlayXattrs: true,
        nanoseconds: version !== 2,
        inlineMax: version === 2 ? 512 : 5000,
        targetMax: version === 2 ? 1024 : 4095,
      });
      fc.assert(
        fc.property(trees, (tree) => {
          const image = writeErofs(tree, { version, algorithm });
          assert.equal(image.length % 4096, 0);
          fsckMetadata(ErofsImage.open(image));
          assertSameTree(readErofsTree(image, algorithm), tree);
          collectObjects(image, algorithm);
        }),
        { numRuns: runs },
      );
    });
  }
}
