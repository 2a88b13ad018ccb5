import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { trustedObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { layerInfoSteps } from '../../../src/oci/layer/layer-info.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { runSteps } from '../../../src/threads/turns.js';
import { boundaryFilesLayer } from '../../support/base-image.js';
import { MemoryStore } from '../../support/memory-store.js';
import { gnuLongName, tarArchive, tarDirectory, tarFile, tarHardlink, tarHeader } from '../../support/tar-builder.js';
import { importTar, makeSplitStream, openSplitStream } from './layer-support.js';

describe('layer info', () => {
  const diffId = 'sha256:00' as OciDigest;
  const verity = trustedObjectId('ab');

  test('of the boundary files', () => {
    const { tar } = boundaryFilesLayer();
    const { splitStream, store } = importTar(tar);
    const info = runSteps(layerInfoSteps(diffId, verity, openSplitStream(splitStream, store)));
    const splitstream = { externalObjects: 3, externalSize: 12288, inlineSize: 3584 };
    assert.deepEqual(info, { diffId, verity, size: 15872, entryCount: 4, splitstream });
    assert.deepEqual(Object.keys(info), ['diffId', 'verity', 'size', 'entryCount', 'splitstream']);
    assert.deepEqual(Object.keys(info.splitstream), ['externalObjects', 'externalSize', 'inlineSize']);
  });

  test('objects count once, their sizes each time; extension headers belong to their entry', () => {
    const data = Buffer.alloc(100);
    const tar = tarArchive([
      tarDirectory('d'),
      gnuLongName('long'),
      tarFile('a', data),
      tarFile('b', data),
      tarHardlink('h', 'a'),
      tarFile('.wh.x', ''),
    ]);
    const { splitStream, store } = importTar(tar);
    const info = runSteps(layerInfoSteps(diffId, verity, openSplitStream(splitStream, store)));
    assert.equal(info.entryCount, 5);
    assert.deepEqual(info.splitstream, { externalObjects: 1, externalSize: 200, inlineSize: tar.length - 200 });
  });

  test('the inline size is never negative', () => {
    const store = new MemoryStore();
    const stream = makeSplitStream(
      [tarHeader({ name: 'f', size: 5000 }), { object: Buffer.alloc(9) }, Buffer.alloc(1144)],
      store,
    );
    const info = runSteps(layerInfoSteps(diffId, verity, openSplitStream(stream, store)));
    assert.equal(info.splitstream.inlineSize, 0);
  });
});
