import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Directory } from '../../src/composefs/tree/inode.js';
import { randomTree } from './random-tree.js';
import { assertSameTree } from './same-tree.js';

test('random trees are made and compare equal to themselves', () => {
  fc.assert(
    fc.property(randomTree({ noVerity: true, negativeMtime: true, overlayXattrs: true }), (root) => {
      assert(root instanceof Directory);
      assertSameTree(root, root);
    }),
    { numRuns: 50 },
  );
});
