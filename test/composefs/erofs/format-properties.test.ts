import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteRegion } from '../../../src/bytes/byte-region.js';
import { byteStringFrom, byteStringToBuffer } from '../../../src/bytes/byte-string.js';
import { BLOCK_SIZE } from '../../../src/composefs/erofs/format/constants.js';
import { decodeHeader, encodeHeader } from '../../../src/composefs/erofs/format/header.js';
import { decodeMetacopy, encodeMetacopy } from '../../../src/composefs/erofs/format/metacopy.js';
import {
  escapeOverlayName,
  isOverlayName,
  unescapeOverlayName,
} from '../../../src/composefs/erofs/format/overlay-names.js';
import { decodeSuperblock, encodeSuperblock } from '../../../src/composefs/erofs/format/superblock.js';
import { directoryEntries } from '../../../src/composefs/erofs/reader/directory-block.js';
import { writeEntries } from '../../../src/composefs/erofs/writer/directory-layout.js';
import { digestSize, HASH_ALGORITHMS } from '../../../src/composefs/fsverity/algorithm.js';
import { objectIdFromBytes } from '../../../src/composefs/fsverity/object-id.js';

const uint32 = fc.nat(0xffff_ffff);

test('what the header says comes back', () => {
  fc.assert(
    fc.property(uint32, fc.nat(2), (flags, version) => {
      const { bytes, view } = byteRegion(Buffer.alloc(32));
      encodeHeader(view, flags, version);
      assert.deepEqual(decodeHeader(bytes), { magic: 0xd078629a, version: 1, flags, composefsVersion: version });
    }),
  );
});

test('what the superblock says comes back', () => {
  const fields = fc.record({
    rootNid: fc.nat(0xffff),
    inodeCount: fc.maxSafeNat(),
    buildTime: fc.maxSafeInteger(),
    buildTimeNsec: uint32,
    blockCount: uint32,
    xattrBlock: uint32,
  });
  fc.assert(
    fc.property(fields, (given) => {
      const { bytes, view } = byteRegion(Buffer.alloc(1152));
      encodeSuperblock(view, given);
      const { magic, blockBits, rootNid, buildTime, buildTimeNsec, xattrBlock } = decodeSuperblock(bytes);
      assert.deepEqual([magic, blockBits], [0xe0f5e1e2, 12]);
      assert.deepEqual(
        { rootNid, buildTime, buildTimeNsec, xattrBlock },
        {
          rootNid: given.rootNid,
          buildTime: BigInt(given.buildTime),
          buildTimeNsec: given.buildTimeNsec,
          xattrBlock: given.xattrBlock,
        },
      );
      // Nobody reads these two; `i_inodes` and `s_blocks` of spec 20 §1.3.
      assert.deepEqual(
        [bytes.readBigUInt64LE(1024 + 16), bytes.readUInt32LE(1024 + 36)],
        [BigInt(given.inodeCount), given.blockCount],
      );
    }),
  );
});

test('a digest for overlayfs comes back, and no other value is one', () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const size = digestSize(algorithm);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: size, maxLength: size }),
        fc.nat(3),
        fc.integer({ min: 1, max: 255 }),
        (digest, at, change) => {
          const id = objectIdFromBytes(digest);
          const value = byteStringToBuffer(encodeMetacopy(id, algorithm));
          assert.equal(decodeMetacopy(value, algorithm), id);
          for (const other of HASH_ALGORITHMS)
            if (other !== algorithm) assert.equal(decodeMetacopy(value, other), undefined);
          assert.equal(decodeMetacopy(value.subarray(1), algorithm), undefined);
          value[at] = (value[at] ?? 0) ^ change;
          assert.equal(decodeMetacopy(value, algorithm), undefined);
        },
      ),
    );
  }
});

test('names of overlayfs are escaped, others are not, and all come back', () => {
  const name = fc
    .tuple(
      fc.constantFrom('', 'user.', 'trusted.', 'trusted.overlay.', 'trusted.overlay.overlay.'),
      fc.uint8Array({ maxLength: 8 }),
    )
    .map(([prefix, bytes]) => byteStringFrom(Buffer.concat([Buffer.from(prefix), bytes])));
  fc.assert(
    fc.property(name, (plain) => {
      const escaped = escapeOverlayName(plain);
      assert.equal(escaped !== plain, isOverlayName(plain));
      assert.equal(unescapeOverlayName(escaped), isOverlayName(plain) ? plain : undefined);
    }),
  );
});

test('the entries of a block come back', () => {
  const entry = fc.record({
    name: fc.uint8Array({ minLength: 1, maxLength: 30 }).filter((bytes) => !bytes.includes(0)),
    nid: uint32,
    fileType: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), (entries) => {
      const names = entries.map(({ name }) => byteStringFrom(name));
      const targets = entries.map((_, index) => index);
      const region = byteRegion(Buffer.alloc(BLOCK_SIZE));
      writeEntries(region, 0, { names, targets }, 0, entries.length, {
        nid: (index) => entries[index]?.nid ?? 0,
        direntType: (index) => entries[index]?.fileType ?? 0,
      });
      assert.deepEqual(
        [...directoryEntries(region.bytes)],
        entries.map(({ nid, fileType }, index) => ({ name: names[index], nid, fileType })),
      );
    }),
  );
});
