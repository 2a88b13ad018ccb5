import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Directory } from '../../../src/composefs/tree/directory.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { ComposefsError } from '../../../src/errors.js';
import { processEntry } from '../../../src/oci/layer/apply-layer.js';
import { formatTarEntry } from '../../../src/oci/layer/format-entry.js';
import { readTarEntries } from '../../../src/oci/layer/tar-entry.js';
import { MemoryStore } from '../../support/memory-store.js';
import {
  END_OF_ARCHIVE,
  fixChecksum,
  gnuLongLink,
  gnuLongName,
  paxHeader,
  tarDevice,
  tarDirectory,
  tarFile,
  tarHardlink,
  tarSymlink,
} from '../../support/tar-builder.js';
import { makeSplitStream, openSplitStream } from './layer-support.js';

type Part = Buffer | { object: Buffer };

/** A layer as the parts of its splitstream. */
const PARTS: readonly Part[] = [
  tarDirectory('d'),
  tarFile('d/f', Buffer.alloc(600, 1)).subarray(0, 512),
  { object: Buffer.alloc(600, 1) },
  Buffer.alloc(424),
  paxHeader([
    ['path', 'd/long'],
    ['mtime', '1.5'],
    ['SCHILY.xattr.user.a', 'v'],
  ]),
  tarFile('x', 'small'),
  gnuLongName('d/name'),
  gnuLongLink('d/long'),
  tarHardlink('x', 'y'),
  tarSymlink('s', 'd'),
  tarDevice('c', '3', 1, 3),
  tarFile('d/.wh.f', ''),
  END_OF_ARCHIVE,
];

const { COMPOSEFS_TEST_FUZZ = '1000' } = process.env;

test('splitstreams of mutated layers are read and applied, or refused with an error of ours', () => {
  const { length } = PARTS;
  const mutation = fc.record({
    part: fc.nat(length - 1),
    // Mostly in the header, and there mostly in the numbers, the type and the magic.
    offset: fc.oneof(fc.nat(1023), fc.integer({ min: 100, max: 160 }), fc.integer({ min: 257, max: 265 })),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    isFixed: fc.boolean(),
  });
  const order = fc.oneof(
    { weight: 3, arbitrary: fc.constant(PARTS.map((_, index) => index)) },
    { weight: 1, arbitrary: fc.array(fc.nat(length - 1), { maxLength: length }) },
  );
  let entries = 0;
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 3 }), order, (mutations, indexes) => {
      const parts = PARTS.map((part) => (Buffer.isBuffer(part) ? Buffer.from(part) : part));
      for (const { part: index, offset, bytes, isFixed } of mutations) {
        const part = parts[index];
        if (!Buffer.isBuffer(part) || offset + bytes.length > part.length) continue;
        part.set(bytes, offset);
        if (isFixed) fixChecksum(part.subarray(0, 512));
      }
      const store = new MemoryStore();
      const stream = makeSplitStream(
        indexes.flatMap((index) => parts[index] ?? []),
        store,
      );
      const root = new Directory(UNINITIALIZED_STAT);
      const reader = openSplitStream(stream, store);
      try {
        for (const entry of readTarEntries(reader)) {
          entries++;
          assert.match(formatTarEntry(entry), /^[!-~]+( [!-~]*)+$/);
          processEntry(root, entry);
        }
      } catch (error) {
        assert(error instanceof ComposefsError, String(error));
        assert.notEqual(error.code, 'INTERNAL');
      } finally {
        reader.close();
      }
    }),
    { numRuns: Number(COMPOSEFS_TEST_FUZZ) },
  );
  assert(entries > Number(COMPOSEFS_TEST_FUZZ));
});
