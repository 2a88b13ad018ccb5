import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSize } from '../../../../src/bytes/format-size.js';
import {
  addStats,
  emptyStats,
  formatStats,
  type ImportStats,
  newBytes,
  newObjects,
  objectStats,
  totalObjects,
} from '../../../../src/oci/import/layer/import-stats.js';

type Counts = readonly [reflinked: number, hardlinked: number, copied: number, present: number];
type Bytes = readonly [reflinked: number, hardlinked: number, copied: number, inlined: number];

function stats(
  [objectsReflinked, objectsHardlinked, objectsCopied, objectsAlreadyPresent]: Counts,
  bytes: Bytes,
): ImportStats {
  const [bytesReflinked, bytesHardlinked, bytesCopied, bytesInlined] = bytes;
  return {
    ...emptyStats(),
    objectsReflinked,
    objectsHardlinked,
    objectsCopied,
    objectsAlreadyPresent,
    bytesReflinked,
    bytesHardlinked,
    bytesCopied,
    bytesInlined,
  };
}

test('the text form', () => {
  const cases: [ImportStats, string][] = [
    [
      stats([0, 0, 42, 100], [0, 0, 1500000, 800]),
      '42 new + 100 already present objects; 1.43 MiB stored, 800 B inlined',
    ],
    [
      stats([30, 0, 12, 100], [1000000, 0, 500000, 800]),
      '30 reflinked + 12 copied + 100 already present objects; 976.56 KiB reflinked, 488.28 KiB copied, 800 B inlined',
    ],
    [
      stats([0, 20, 5, 50], [0, 800000, 200000, 400]),
      '20 hardlinked + 5 copied + 50 already present objects; 781.25 KiB hardlinked, 195.31 KiB copied, 400 B inlined',
    ],
    [
      stats([10, 15, 5, 70], [500000, 750000, 250000, 600]),
      '10 reflinked + 15 hardlinked + 5 copied + 70 already present objects; ' +
        '488.28 KiB reflinked, 732.42 KiB hardlinked, 244.14 KiB copied, 600 B inlined',
    ],
    [emptyStats(), '0 new + 0 already present objects; 0 B stored, 0 B inlined'],
  ];
  for (const [value, text] of cases) assert.equal(formatStats(value), text);
});

test('sizes for people', () => {
  const sizes: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1152, '1.12 KiB'], // 1.125 and 1.375: ties to even
    [1408, '1.38 KiB'],
    [1029, '1.00 KiB'],
    [1030, '1.01 KiB'],
    [1048575, '1024.00 KiB'],
    [1048576, '1.00 MiB'],
    [2 ** 30 - 1, '1024.00 MiB'],
    [2 ** 30, '1.00 GiB'],
    [2 ** 40, '1.00 TiB'],
    [2 ** 50, '1.00 PiB'],
    [Number.MAX_SAFE_INTEGER, '8.00 PiB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatSize(bytes), text);
});

test('sums', () => {
  const value = stats([1, 2, 3, 4], [10, 20, 30, 40]);
  assert.deepEqual([newObjects(value), totalObjects(value), newBytes(value)], [6, 10, 60]);
  assert.deepEqual(addStats(value, emptyStats()), value);
  const twice = addStats(
    { ...value, layers: 2, layersAlreadyPresent: 1 },
    { ...value, layers: 1, layersAlreadyPresent: 1 },
  );
  assert.deepEqual(twice, { ...stats([2, 4, 6, 8], [20, 40, 60, 80]), layers: 3, layersAlreadyPresent: 2 });
});

test('one object by the way it was stored', () => {
  assert.deepEqual(objectStats('copied', 5), { ...emptyStats(), objectsCopied: 1, bytesCopied: 5 });
  assert.deepEqual(objectStats('reflinked', 5), { ...emptyStats(), objectsReflinked: 1, bytesReflinked: 5 });
  assert.deepEqual(objectStats('hardlinked', 5), { ...emptyStats(), objectsHardlinked: 1, bytesHardlinked: 5 });
  assert.deepEqual(objectStats('already-present', 5), { ...emptyStats(), objectsAlreadyPresent: 1 });
});
