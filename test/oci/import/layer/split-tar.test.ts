import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { computeVerity } from '../../../../src/composefs/fsverity/digest.js';
import { catSplitStream } from '../../../../src/composefs/splitstream/cat.js';
import { emptyStats } from '../../../../src/oci/import/layer/import-stats.js';
import { directQueue, MAX_QUEUED_OBJECT } from '../../../../src/oci/import/layer/object-queue.js';
import { splitTar } from '../../../../src/oci/import/layer/split-tar.js';
import { baseImageLayers, boundaryFilesLayer, type FixtureLayer, zeroFileLayers } from '../../../support/base-image.js';
import { MemoryStore } from '../../../support/memory-store.js';
import {
  END_OF_ARCHIVE,
  paxHeader,
  tarArchive,
  tarDirectory,
  tarFile,
  tarSymlink,
} from '../../../support/tar-builder.js';
import { CONTENT_TYPE, type ImportedTar, importTar, openSplitStream } from '../../layer/layer-support.js';

function reassemble({ splitStream, store }: ImportedTar): Buffer {
  const reader = openSplitStream(splitStream, store);
  return Buffer.concat([...catSplitStream(reader, (id) => [store.readObject(id)])]);
}

function assertFixture(layer: FixtureLayer, chunkSize: number): ImportedTar {
  const imported = importTar(layer.tar, new MemoryStore(), chunkSize);
  assert.equal(imported.splitStream.length, layer.splitStreamSize);
  assert.equal(computeVerity('sha256', imported.splitStream), layer.splitStreamId);
  assert.equal(openSplitStream(imported.splitStream, imported.store).totalSize, layer.tar.length);
  assert.deepEqual(reassemble(imported), layer.tar);
  return imported;
}

describe('splitstreams of the specification, bit by bit', () => {
  for (const chunkSize of [1000, 65536]) {
    test(`from chunks of ${chunkSize} bytes`, () => {
      for (const layer of [...zeroFileLayers(), boundaryFilesLayer(), ...baseImageLayers()]) {
        assertFixture(layer, chunkSize);
      }
    });
  }
});

describe('stats', () => {
  test('objects, bytes and inline bytes', () => {
    const { tar } = boundaryFilesLayer();
    const first = importTar(tar);
    const bytesCopied = 4095 + 4096 + 4097;
    const bytesInlined = tar.length - bytesCopied;
    assert.deepEqual(first.stats, { ...emptyStats(), objectsCopied: 3, bytesCopied, bytesInlined });
    const again = importTar(tar, first.store);
    assert.deepEqual(again.stats, { ...emptyStats(), objectsAlreadyPresent: 3, bytesInlined });
    assert.deepEqual(again.splitStream, first.splitStream);
  });

  test('equal files of a layer count each, and are one object', () => {
    const content = Buffer.alloc(100, 1);
    const imported = importTar(tarArchive([tarFile('a', content), tarFile('b', content)]));
    const { objectsCopied, objectsAlreadyPresent, bytesCopied } = imported.stats;
    assert.deepEqual([objectsCopied, objectsAlreadyPresent, bytesCopied], [1, 1, 100]);
    assert.equal(openSplitStream(imported.splitStream, imported.store).objectRefs.length, 1);
  });

  test('an empty tar has no objects', () => {
    const imported = importTar(END_OF_ARCHIVE);
    assert.deepEqual(imported.stats, { ...emptyStats(), bytesInlined: 1024 });
    assert.equal(imported.store.objects.size, 0);
  });
});

describe('round trips', () => {
  test('sizes around blocks and thresholds, with record padding', () => {
    const sizes = [0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025];
    for (const recordSize of [512, 10240]) {
      const tar = tarArchive(
        sizes.map((size) => tarFile(`f${size}`, Buffer.alloc(size, size))),
        recordSize,
      );
      assert.deepEqual(reassemble(importTar(tar)), tar);
    }
  });

  test('files around the size that is gathered in memory', () => {
    const sizes = [-1, 0, 1, 1_000_000].map((more) => MAX_QUEUED_OBJECT + more);
    const tar = tarArchive(sizes.map((size, i) => tarFile(`f${size}`, Buffer.alloc(size, i + 1))));
    for (const chunkSize of [65536, 1_000_003, tar.length]) {
      const imported = importTar(tar, new MemoryStore(), chunkSize);
      assert.deepEqual(reassemble(imported), tar);
      assert.equal(imported.store.openWriters, 0);
      assert.equal(
        imported.stats.bytesCopied,
        sizes.reduce((sum, size) => sum + size),
      );
    }
  });

  test('arbitrary archives, in both algorithms', () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((data) => tarFile('f', Buffer.from(data))),
      fc.integer({ min: 0, max: 3000 }).map((size) => tarFile('g', Buffer.alloc(size, 5))),
      fc.constantFrom(tarDirectory('d'), tarSymlink('s', 't'), paxHeader([['comment', 'c']], { type: 'g' })),
    );
    const algorithms = fc.constantFrom('sha256' as const, 'sha512' as const);
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), fc.nat(1500), algorithms, (parts, junk, algorithm) => {
        const tar = Buffer.concat([...parts, END_OF_ARCHIVE, Buffer.alloc(junk, 9)]);
        const imported = importTar(tar, new MemoryStore(algorithm), 700);
        assert.deepEqual(reassemble(imported), tar);
      }),
      { numRuns: 100 },
    );
  });
});

test('giving up drops the object that is being written', () => {
  const store = new MemoryStore();
  const splitter = splitTar('sha256', directQueue(store), CONTENT_TYPE);
  const size = 2 * MAX_QUEUED_OBJECT;
  splitter.push(tarFile('f', Buffer.alloc(size)).subarray(0, size - 500_000));
  assert.equal(store.openWriters, 1);
  assert.throws(() => splitter.finish(), /^TarError: unexpected EOF reading tar entry/);
  splitter.abort();
  assert.equal(store.openWriters, 0);
  assert.equal(store.objects.size, 0);
});
