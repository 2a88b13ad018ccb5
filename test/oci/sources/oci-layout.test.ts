import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listLayoutTags } from '../../../src/oci/sources/oci-layout.js';
import { fxOci, fxTwo, LayoutBuilder } from '../../support/oci-fixtures.js';
import { failsWith, tempDir } from '../oci-support.js';

test('the tags of a layout are those of its index, in its order', (t) => {
  const path = join(tempDir(t), 'layout');
  new LayoutBuilder().addImage(fxOci(), { tag: 'b' }).addImage(fxTwo(), { tag: 'a' }).addImage(fxTwo()).write(path);
  assert.deepEqual(listLayoutTags(path), ['b', 'a']);
});

test('a directory that is no layout has an error that names it', (t) => {
  const path = tempDir(t);
  assert.throws(() => listLayoutTags(join(path, 'no')), failsWith('ENOENT', `Opening OCI layout directory ${path}/no`));
  assert.throws(() => listLayoutTags(path), failsWith('ENOENT', 'Opening OCI directory'));
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
  assert.throws(() => listLayoutTags(path), failsWith('INDEX_NOT_FOUND', 'Cannot find the Image Index (index.json)'));
});
