import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteRegion } from '../../../src/bytes/byte-region.js';
import { byteStringFrom, byteStringFromText, byteStringToBuffer } from '../../../src/bytes/byte-string.js';
import { decodeUint64, encodeInt64, getInt64, getUint64, setInt64 } from '../../../src/bytes/int64.js';
import { xxh32 } from '../../../src/bytes/xxh32.js';
import { planChunks } from '../../../src/composefs/erofs/format/chunks.js';
import {
  BOOT_VERSIONS,
  formatEpoch,
  formatVersions,
  isFormatVersion,
} from '../../../src/composefs/erofs/format/constants.js';
import { decodeMetacopy, encodeMetacopy } from '../../../src/composefs/erofs/format/metacopy.js';
import {
  splitXattrName,
  XATTR_FILTER_SEED,
  xattrAreaCount,
  xattrAreaSize,
  xattrEntrySize,
  xattrFilterBit,
} from '../../../src/composefs/erofs/format/xattr-area.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';

test('xxh32 gives the check values', () => {
  assert.equal(xxh32(Buffer.from(''), 0), 0x02cc5d05);
  assert.equal(xxh32(Buffer.from('abcdefghijklmnopqrstuvwxyz'), XATTR_FILTER_SEED), 0x391001f2);
  assert.equal(xxh32(Buffer.from('Nobody inspects the spammish repetition'), 0), 0xe2293b2f);
});

const NAMES: readonly [name: string, epoch: 1 | 2, index: number, hash: number, bit: number][] = [
  ['trusted.overlay.metacopy', 1, 4, 0xdbe5e05f, 31],
  ['trusted.overlay.redirect', 1, 4, 0x887ec271, 17],
  ['trusted.overlay.opaque', 1, 4, 0x4ce0a7f4, 20],
  ['trusted.overlay.overlay.opaque', 1, 4, 0x207b5265, 5],
  ['trusted.overlay.overlay.whiteout', 1, 4, 0x54a3e364, 4],
  ['trusted.overlay.overlay.whiteouts', 1, 4, 0x46dd3e0c, 12],
  ['user.overlay.opaque', 1, 1, 0xf8dc99ea, 10],
  ['user.overlay.whiteout', 1, 1, 0xed142e09, 9],
  ['user.overlay.whiteouts', 1, 1, 0xd11b80b4, 20],
  ['security.selinux', 1, 6, 0x9490146b, 11],
  ['security.capability', 1, 6, 0x8c47ac5d, 29],
  ['system.posix_acl_access', 1, 2, 0x0857597e, 30],
  ['system.posix_acl_default', 1, 3, 0x59eeabb5, 21],
  ['user.foo', 1, 1, 0x6b6ab58c, 12],
  ['lustre.lov', 1, 0, 0x2f70bfc9, 9],
  ['lustre.lov', 2, 5, 0xbe060175, 21],
  ['com.example.k', 1, 0, 0x0a0c0ac6, 6],
];

for (const [text, epoch, index, hash, bit] of NAMES) {
  test(`${text} in epoch ${epoch} has prefix ${index} and filter bit ${bit}`, () => {
    const split = splitXattrName(byteStringFromText(text), epoch);
    assert.equal(split.index, index);
    assert.equal(xxh32(byteStringToBuffer(split.suffix), XATTR_FILTER_SEED + index), hash);
    assert.equal(xattrFilterBit(split), bit);
  });
}

test('a name is split at the first prefix that matches', () => {
  assert.deepEqual(splitXattrName(byteStringFromText('system.posix_acl_accessfoo'), 1), { index: 2, suffix: 'foo' });
  assert.deepEqual(splitXattrName(byteStringFromText('system.nfs4_acl'), 1), { index: 0, suffix: 'system.nfs4_acl' });
  assert.deepEqual(splitXattrName(byteStringFromText('user'), 1), { index: 0, suffix: 'user' });
  assert.deepEqual(splitXattrName(byteStringFromText('user.'), 1), { index: 1, suffix: '' });
});

test('xattr sizes are counted in words', () => {
  assert.equal(xattrEntrySize(0, 0), 4);
  assert.equal(xattrEntrySize(3, 1), 8);
  assert.equal(xattrEntrySize(3, 2), 12);
  assert.equal(xattrAreaCount(0), 0);
  assert.equal(xattrAreaCount(12), 1);
  assert.equal(xattrAreaCount(32), 6);
  for (const size of [0, 12, 16, 32, 148]) assert.equal(xattrAreaSize(xattrAreaCount(size)), size);
});

const CHUNKS: readonly [size: number, format: number, count: number][] = [
  [0, 0, 0],
  [1, 0, 1],
  [2, 0, 1],
  [4096, 0, 1],
  [4097, 1, 1],
  [2 ** 20, 8, 1],
  [2 ** 20 + 1, 9, 1],
  [70000, 5, 1],
  [2 ** 32, 20, 1],
  [2 ** 32 + 1, 21, 1],
  [2 ** 43, 31, 1],
  [2 ** 43 + 1, 31, 2],
  [9_000_000_000_000_000, 31, 1024],
  [Number.MAX_SAFE_INTEGER, 31, 1024],
];

for (const [size, format, count] of CHUNKS) {
  test(`a file of ${size} bytes has ${count} chunks of format ${format}`, () => {
    assert.deepEqual(planChunks(size), { format, count });
  });
}

test('64-bit integers survive encoding', () => {
  const buffer = Buffer.alloc(8);
  for (const value of [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53) + 1]) {
    encodeInt64(buffer, value, 0);
    assert.equal(buffer.readBigInt64LE(0), BigInt(value));
    const { view } = byteRegion(Buffer.alloc(8));
    setInt64(view, 0, value);
    assert.equal(view.getBigInt64(0, true), BigInt(value));
    assert.equal(getInt64(view, 0), value);
    if (value < 0) continue;
    assert.equal(decodeUint64(buffer, 0), value);
    assert.equal(getUint64(view, 0), value);
  }
});

for (const algorithm of ['sha256', 'sha512'] as const) {
  test(`a metacopy value for ${algorithm} is accepted only with exactly its fields`, () => {
    const id = parseObjectId(
      algorithm,
      (algorithm === 'sha256' ? 'ab' : 'cd').repeat(algorithm === 'sha256' ? 32 : 64),
    );
    const value = byteStringToBuffer(encodeMetacopy(id, algorithm));
    assert.deepEqual([...value.subarray(0, 4)], algorithm === 'sha256' ? [0, 36, 0, 1] : [0, 68, 0, 2]);
    assert.equal(decodeMetacopy(value, algorithm), id);
    assert.equal(decodeMetacopy(value, algorithm === 'sha256' ? 'sha512' : 'sha256'), undefined);
    for (let field = 0; field < 4; field++) {
      const changed = Buffer.from(value);
      changed[field] = 0x7f;
      assert.equal(decodeMetacopy(changed, algorithm), undefined, `field ${field}`);
    }
    assert.equal(decodeMetacopy(value.subarray(0, -1), algorithm), undefined);
    assert.equal(decodeMetacopy(Buffer.concat([value, Buffer.alloc(1)]), algorithm), undefined);
    assert.equal(decodeMetacopy(Buffer.alloc(0), algorithm), undefined);
    assert.equal(byteStringFrom(value), encodeMetacopy(id, algorithm));
  });
}

test('versions have epochs and an order', () => {
  assert.deepEqual([0, 1, 2, 3, '1', undefined].map(isFormatVersion), [true, true, true, false, false, false]);
  assert.deepEqual([formatEpoch(0), formatEpoch(1), formatEpoch(2)], [1, 1, 2]);
  assert.deepEqual(BOOT_VERSIONS, [1, 2]);
  assert.deepEqual(formatVersions({ default: 1, extra: [] }), [1]);
  assert.deepEqual(formatVersions({ default: 1, extra: [2, 0, 1, 2] }), [1, 0, 2]);
  assert.deepEqual(formatVersions({ default: 2, extra: [1] }), [2, 1]);
});
