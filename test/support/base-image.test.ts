import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BASE_IMAGE_DUMP, baseImageLayers, boundaryFilesLayer, dataLayers, zeroFileLayers } from './base-image.js';
import { sha256 } from './sha256.js';

test('the fixture tars are those of the specification', () => {
  for (const layer of [...zeroFileLayers(), boundaryFilesLayer(), ...baseImageLayers(), ...dataLayers()]) {
    assert.equal(sha256(layer.tar), layer.sha256);
  }
  assert.equal(BASE_IMAGE_DUMP.length, 1567);
  assert.equal(sha256(BASE_IMAGE_DUMP), 'b8d21e104e12e0a3cdaa2beeec8f5025bb5abec2b37a683f9a4fe5ad0416ca6f');
});
