import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { catSplitStream, type SplitStreamReader } from '../../../src/composefs/splitstream/index.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { getDirectory } from '../../../src/composefs/tree/lookup.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { ComposefsError, errorChain } from '../../../src/errors.js';
import { LayerApplier } from '../../../src/oci/layer/apply-layer.js';
import { formatTarEntry } from '../../../src/oci/layer/format-entry.js';
import { readTarEntries, type TarEntry } from '../../../src/oci/layer/tar-entry.js';
import { sparseFileSteps } from '../../../src/oci/layer/verify-sparse.js';
import { NO_TAR_LIMITS, TarLimitError } from '../../../src/tar/limits.js';
import { TarError } from '../../../src/tar/tar-error.js';
import { runSteps } from '../../../src/threads/turns.js';
import { cpuTime } from '../../support/cpu-time.js';
import { MemoryStore } from '../../support/memory-store.js';
import { sparseFile, sparseTars } from '../../support/sparse-tars.js';
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
import { file, symlink } from './entries.js';
import { importTar, makeSplitStream, openSplitStream } from './layer-support.js';

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

/** Applies entries, as one layer, to what the layers below made. */
function applyTo(root: Directory, entries: Iterable<TarEntry>): string {
  const applier = new LayerApplier(root);
  try {
    for (const each of entries) applier.apply(each);
    return 'applied';
  } catch (error) {
    return errorChain(error).at(-1) ?? '';
  }
}

function* times(count: number, make: (index: number) => TarEntry): Generator<TarEntry> {
  for (let index = 0; index < count; index++) yield make(index);
}

const tooManyLinks = (path: string): string => `Too many symbolic links, or too long ones, on the way to "${path}"`;

test('chains of symlinks are followed as far as Linux does, whatever they multiply to', () => {
  const root = new Directory(UNINITIALIZED_STAT);
  const link = (index: number): TarEntry => symlink(`/l${index}`, index === 0 ? '/d' : `l${index - 1}`);
  assert.equal(applyTo(root, times(100_000, link)), 'applied');
  assert.equal(applyTo(root, [file('/l39/x')]), 'applied');
  assert.equal(applyTo(root, [file('/l40/x')]), tooManyLinks('/l40/'));
  assert.equal(applyTo(root, [file('/l39/l99/x')]), 'applied');
  const each = (index: number): TarEntry => symlink(`/m${index}`, index === 0 ? '/' : `m${index - 1}/`.repeat(20));
  assert.equal(applyTo(root, times(100, each)), 'applied');
  assert.equal(applyTo(root, [file('/m99/x')]), tooManyLinks('/m99/'));
  assert.equal(applyTo(root, [symlink('/long', `/${'d/'.repeat(2048)}`), file('/long/x')]), tooManyLinks('/long/'));
});

test('many entries through long links, and many whiteouts, are done or refused in seconds', () => {
  const start = cpuTime();
  const root = new Directory(UNINITIALIZED_STAT);
  const target = (index: number): string => `/${index === 0 ? '' : `l${index - 1}/`}${'../a/'.repeat(800)}`;
  assert.equal(
    applyTo(
      root,
      times(38, (index) => symlink(`/l${index}`, target(index))),
    ),
    'applied',
  );
  assert.equal(
    applyTo(
      root,
      times(1_000_000, (index) => file(`/l37/${index}`)),
    ),
    tooManyLinks('/l37/'),
  );

  const full = new Directory(UNINITIALIZED_STAT);
  assert.equal(
    applyTo(
      full,
      times(100_000, (index) => file(`/d/e/f${index}`)),
    ),
    'applied',
  );
  const kept = times(100_000, (index) => file(`/d/e/g${index}`));
  const names = ['/.wh.d', '/d/.wh.e', '/d/.wh..wh..opq', '/d/e/.wh.g5'];
  const whiteouts = times(200_000, (index) => file(names[index % 4] ?? ''));
  assert.equal(
    applyTo(
      full,
      (function* () {
        yield* kept;
        yield* whiteouts;
      })(),
    ),
    'applied',
  );
  assert.equal(getDirectory(full, '/d/e' as ByteString).size, 100_000);
  assert.equal(
    applyTo(
      full,
      times(100_000, (index) => file(`/d/e/.wh.g${index}`)),
    ),
    'applied',
  );
  assert.equal(getDirectory(full, '/d/e' as ByteString).size, 0);
  assert(cpuTime() - start < 30_000);
});

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
      const applier = new LayerApplier(new Directory(UNINITIALIZED_STAT));
      const reader = openSplitStream(stream, store);
      try {
        for (const entry of readTarEntries(reader)) {
          entries++;
          assert.match(formatTarEntry(entry), /^[!-~]+( [!-~]*)+$/);
          applier.apply(entry);
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

test('mutated tars are refused, or can be read again once they are stored, bit for bit', () => {
  const runs = Math.ceil(Number(COMPOSEFS_TEST_FUZZ) / 2);
  const sparse = sparseTars(
    sparseFile(5000, [
      [10, 70],
      [1000, 600],
      [3000, 5],
      [4000, 1],
      [4100, 1],
    ]),
    'd/sparse',
  );
  const parts = [
    tarDirectory('d'),
    paxHeader([
      ['path', 'd/long'],
      ['mtime', '1.5'],
    ]),
    tarFile('x', 'small'),
    ...Object.values(sparse),
    gnuLongName('d/name'),
    tarFile('x', Buffer.alloc(600, 1)),
    tarSymlink('s', 'd'),
    tarDevice('c', '3', 1, 3),
    END_OF_ARCHIVE,
  ];
  const original = Buffer.concat(parts);
  const offsets: number[] = [];
  parts.reduce((offset, part) => {
    offsets.push(offset);
    return offset + part.length;
  }, 0);
  const interesting = fc.oneof(
    fc.nat(1023),
    fc.integer({ min: 100, max: 160 }),
    fc.integer({ min: 257, max: 265 }),
    fc.integer({ min: 386, max: 511 }),
  );
  const mutation = fc.record({
    part: fc.constantFrom(...offsets),
    offset: interesting,
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom('7', '0', '\0', '5\n', 'S', '9,', '\x80').map((text) => Buffer.from(text, 'latin1')),
    ),
    isFixed: fc.boolean(),
  });
  const cut = fc.oneof(fc.constant(original.length), fc.nat(original.length));
  let stored = 0;
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 3 }), cut, fc.nat(3000), (mutations, length, chunk) => {
      const tar = Buffer.from(original.subarray(0, length));
      for (const { part, offset, bytes, isFixed } of mutations) {
        const at = part + offset;
        if (at + bytes.length > tar.length) continue;
        tar.set(bytes, at);
        const header = tar.subarray(at - (at % 512), at - (at % 512) + 512);
        if (isFixed && header.length === 512) fixChecksum(header);
      }
      const store = new MemoryStore();
      let splitStream: Buffer;
      try {
        ({ splitStream } = importTar(tar, store, chunk + 1, { ...NO_TAR_LIMITS, maxBytes: 100_000 }));
      } catch (error) {
        assert(error instanceof TarError || error instanceof TarLimitError, String(error));
        assert.equal(store.openWriters, 0);
        return;
      }
      stored++;
      const open = (): SplitStreamReader => openSplitStream(splitStream, store);
      assert.deepEqual(Buffer.concat([...catSplitStream(open(), (id) => [store.readObject(id)])]), tar);
      try {
        for (const { item } of readTarEntries(open())) {
          if (item.type !== 'leaf' || item.content.type !== 'regular') continue;
          const { file } = item.content;
          if (file.storage === 'external') assert.equal(store.readObject(file.id).length, file.size);
        }
        runSteps(sparseFileSteps({ algorithm: 'sha256', readObjectChunks: (id) => [store.readObject(id)] }, open()));
      } catch (error) {
        // What has no place in a tree may be in the tar of an artifact.
        assert.match(String(error), /Unsupported entry type Other|Device entry without device numbers/);
      }
    }),
    { numRuns: runs },
  );
  assert(stored > runs / 20, `${stored} of ${runs} were stored`);
});
