import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TarSplitter } from '../../src/tar/splitter.js';
import { TarError } from '../../src/tar/tar-error.js';
import { cpuTime } from '../support/cpu-time.js';
import { SPARSE_FILE, sparseFile, sparseTars } from '../support/sparse-tars.js';
import {
  END_OF_ARCHIVE,
  fixChecksum,
  gnuLongName,
  padded,
  paxHeader,
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../support/tar-builder.js';
import { joinParts, splitTar } from './recording-sink.js';

const ZERO_BLOCK = Buffer.alloc(512);
const FILE = tarFile('f', 'content');

interface TestEntry {
  readonly tar: Buffer;
  readonly file: Buffer | undefined;
  readonly isSparse?: boolean;
}

/** An entry for some sparse file in some format. */
function sparseEntry(): fc.Arbitrary<TestEntry> {
  const region = fc.tuple(fc.nat(3000), fc.nat(700));
  return fc
    .tuple(fc.array(region, { maxLength: 60 }), fc.nat(3000), fc.constantFrom('gnu', 'pax00', 'pax01', 'pax10'))
    .map(([gaps, end, format]) => {
      let position = 0;
      const regions = gaps.map(([gap, length]): [number, number] => {
        const offset = position + gap;
        position = offset + length;
        return [offset, length];
      });
      const file = sparseFile(position + end, regions);
      const tars = sparseTars(file, 'sparse');
      return { tar: tars[format as keyof typeof tars], file: file.size > 64 ? file.data : undefined, isSparse: true };
    });
}

/** One of everything. */
function kitchenSink(): Buffer[] {
  return [
    tarDirectory('d/'),
    FILE,
    tarFile('large', Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 256))),
    paxHeader([['comment', 'global']], { type: 'g' }),
    gnuLongName('n'.repeat(700)),
    tarFile('', Buffer.alloc(512, 1), { format: 'gnu' }),
    paxHeader([
      ['path', 'p'.repeat(2000)],
      ['SCHILY.xattr.user.a', Buffer.from([0, 10, 61])],
    ]),
    tarSymlink('s', 'target'),
    ZERO_BLOCK,
    tarHardlink('h', 'f'),
    tarHeader({ name: 'v7', format: 'v7' }),
    tarFile('exact', Buffer.alloc(1024, 2)),
    tarFile('padding', Buffer.alloc(65, 3)).fill(0xaa, 512 + 65),
    ...Object.values(sparseTars(SPARSE_FILE, 'sparse')),
    tarHeader({ name: 'size', type: '2', size: 1000 }),
  ];
}

describe('chunks', () => {
  const tar = Buffer.concat([tarArchive(kitchenSink(), 10240), Buffer.from('trailing')]);
  const whole = splitTar(tar);

  test('one byte at a time gives the same', () => assert.deepEqual(splitTar(tar, [1]), whole));

  test('any sizes give the same', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        assert.deepEqual(splitTar(tar, sizes), whole);
      }),
      { numRuns: 50 },
    );
  });

  test('empty chunks change nothing', () => {
    let inline = 0;
    const splitter = new TarSplitter({
      inline: (data) => {
        inline += data.length;
      },
      beginFile: () => assert.fail(),
      fileData: () => assert.fail(),
      endFile: () => assert.fail(),
    });
    for (const chunk of [Buffer.alloc(0), FILE.subarray(0, 600), Buffer.alloc(0), FILE.subarray(600)]) {
      splitter.push(chunk);
    }
    splitter.finish();
    assert.equal(inline, 1024);
  });

  test('content is passed on without a copy', () => {
    const chunk = tarFile('f', Buffer.alloc(5000, 1));
    const seen: Buffer[] = [];
    const keep = (data: Buffer): void => {
      seen.push(data);
    };
    const splitter = new TarSplitter({ inline: keep, beginFile: () => {}, fileData: keep, endFile: () => {} });
    splitter.push(chunk);
    splitter.finish();
    assert.deepEqual(
      seen.map((data) => data.length),
      [512, 5000, 120],
    );
    assert(seen.every((data) => data.buffer === chunk.buffer));
  });
});

test('arbitrary archives come out bit by bit, with the files that went in', () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom(0, 1, 63, 64, 65, 511, 512, 513, 5000).map((size) => new Uint8Array(size).fill(size)),
  );
  const part: fc.Arbitrary<TestEntry> = fc.oneof(
    content.map((data) => ({ tar: tarFile('file', Buffer.from(data)), file: Buffer.from(data) })),
    fc
      .constantFrom(...kitchenSink().filter((each) => each.length === 512 && each[156] !== 0))
      .map((tar) => ({ tar, file: undefined })),
    content.map((data) => ({ tar: tarFile('other', Buffer.from(data), { type: 'V' }), file: undefined })),
    sparseEntry(),
    fc.string({ maxLength: 600, minLength: 1 }).map((path) => ({
      tar: Buffer.concat([paxHeader([['path', path]]), FILE]),
      file: undefined,
    })),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.integer({ min: 1, max: 3000 }), (parts, chunkSize) => {
      const tar = tarArchive(
        parts.map((each) => each.tar),
        10240,
      );
      const split = splitTar(tar, [chunkSize]);
      assert.deepEqual(joinParts(split), tar);
      const files = split.filter((each) => 'file' in each).map((each) => each.file);
      assert.deepEqual(
        files,
        parts.flatMap(({ file, isSparse }) => (file !== undefined && (isSparse || file.length > 64) ? [file] : [])),
      );
    }),
    { numRuns: 200 },
  );
});

test('mutated archives are split or refused, and what is split is complete', () => {
  const { COMPOSEFS_TEST_FUZZ = '2000' } = process.env;
  const runs = Number(COMPOSEFS_TEST_FUZZ);
  const original = tarArchive(kitchenSink());
  const headers: number[] = [];
  kitchenSink().reduce((offset, part) => {
    headers.push(offset);
    return offset + part.length;
  }, 0);
  let accepted = 0;
  const mutation = fc.record({
    offset: fc.oneof(
      fc.nat(original.length - 1),
      fc.tuple(fc.constantFrom(...headers), fc.nat(511)).map(([a, b]) => a + b),
    ),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    fix: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: original.length }),
      fc.boolean(),
      (mutations, length, isCut) => {
        const tar = Buffer.from(isCut ? original.subarray(0, length) : original);
        for (const { offset, bytes, fix } of mutations) {
          tar.set(bytes.subarray(0, Math.max(0, tar.length - offset)), Math.min(offset, tar.length));
          const block = tar.subarray(offset - (offset % 512), offset - (offset % 512) + 512);
          if (fix && block.length === 512) fixChecksum(block);
        }
        try {
          assert.deepEqual(joinParts(splitTar(tar, [700])), tar);
          accepted++;
        } catch (error) {
          assert(error instanceof TarError, String(error));
          assert(error.offset >= 0 && error.offset <= tar.length);
        }
      },
    ),
    { numRuns: runs },
  );
  assert(accepted > runs / 50, `${accepted} of ${runs} were accepted`);
});

test('padding is passed on whatever its bytes are', () => {
  const tar = Buffer.concat([padded(tarFile('f', Buffer.alloc(100, 1)).fill(0xbb, 612)), END_OF_ARCHIVE]);
  assert.deepEqual(joinParts(splitTar(tar)), tar);
});

test('30,000 plain headers take well under 200 ms of the processor', () => {
  const chunk = Buffer.concat(Array.from({ length: 128 }, () => tarHeader({ name: 'usr/share/doc/some/file.txt' })));
  const run = (): number => {
    const ignore = (): void => {};
    const splitter = new TarSplitter({ inline: ignore, beginFile: ignore, fileData: ignore, endFile: ignore });
    const start = cpuTime();
    for (let count = 0; count < 30_000; count += 128) splitter.push(chunk);
    return cpuTime() - start;
  };
  const best = Math.min(run(), run(), run());
  assert(best < 200, `${best} ms`);
});
