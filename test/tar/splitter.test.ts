import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TarSplitter } from '../../src/tar/splitter.js';
import { TarError } from '../../src/tar/tar-error.js';
import {
  END_OF_ARCHIVE,
  fixChecksum,
  gnuLongLink,
  gnuLongName,
  padded,
  paxHeader,
  putBase256,
  tarArchive,
  tarDirectory,
  tarEntry,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../support/tar-builder.js';
import { joinParts, splitTar } from './recording-sink.js';

const ZERO_BLOCK = Buffer.alloc(512);
const FILE = tarFile('f', 'content');

/** The lengths of the parts: negative for inline ones, as a splitstream has them. */
function shape(tar: Buffer): number[] {
  return splitTar(tar).map((part) => ('inline' in part ? -part.inline.length : part.file.length));
}

function assertRefused(tar: Buffer, message: string, offset: number): void {
  assert.throws(
    () => splitTar(tar),
    (error: unknown) => {
      assert(error instanceof TarError);
      assert.equal(error.message, `${message} (at tar offset ${offset})`);
      assert.equal(error.offset, offset);
      assert.equal(error.code, 'INVALID_TAR');
      return true;
    },
  );
}

describe('what goes where', () => {
  test('content of up to 64 bytes is inline, more is a file', () => {
    const sizes = [0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025];
    for (const size of sizes) {
      const tar = tarArchive([tarFile('f', Buffer.alloc(size, 7))]);
      const padding = (512 - (size % 512)) % 512;
      assert.deepEqual(shape(tar), size <= 64 ? [-tar.length] : [-512, size, -padding - 1024], `${size}`);
      assert.deepEqual(joinParts(splitTar(tar)), tar);
    }
  });

  test('regular files of old and new type and contiguous files have content', () => {
    for (const type of ['0', '\0', '7'])
      assert.deepEqual(shape(tarFile('f', Buffer.alloc(512), { type })), [-512, 512]);
  });

  test('the data of any other type are inline, however many', () => {
    for (const type of ['1', '2', '3', '4', '5', '6', 'V', 'M', '\xff']) {
      assert.deepEqual(shape(tarFile('f', Buffer.alloc(5000), { type })), [-512 - 5120], type);
    }
  });

  test('a name that ends in a slash does not make a regular file a directory', () => {
    assert.deepEqual(shape(tarFile('d/', Buffer.alloc(512))), [-512, 512]);
  });

  test('inline data reach from file to file', () => {
    const tar = tarArchive([tarDirectory('d'), tarFile('a', Buffer.alloc(100)), FILE, tarFile('b', Buffer.alloc(600))]);
    assert.deepEqual(shape(tar), [-1024, 100, -412 - 1024 - 512, 600, -424 - 1024]);
  });

  test('extension headers are inline, a size in them decides', () => {
    const header = tarHeader({ name: 'f', size: 3 });
    const tar = Buffer.concat([paxHeader([['size', '600']]), header, Buffer.alloc(1024)]);
    assert.deepEqual(shape(tar), [-1024 - 512, 600, -424]);
  });

  test('nothing after the end of the archive is interpreted', () => {
    for (const trailer of ['', 'x', 'junk'.repeat(1000)]) {
      const tar = Buffer.concat([FILE, END_OF_ARCHIVE, Buffer.from(trailer)]);
      assert.deepEqual(shape(tar), [-tar.length]);
    }
    const tar = Buffer.concat([END_OF_ARCHIVE, tarFile('f', Buffer.alloc(100))]);
    assert.deepEqual(shape(tar), [-tar.length]);
  });

  test('an archive may end without end blocks, and be empty', () => {
    assert.deepEqual(shape(Buffer.alloc(0)), []);
    assert.deepEqual(shape(END_OF_ARCHIVE), [-1024]);
    assert.deepEqual(shape(FILE), [-1024]);
    assert.deepEqual(shape(tarFile('f', Buffer.alloc(512))), [-512, 512]);
    assert.deepEqual(shape(tarHeader({ name: 'g', type: 'g' })), [-512]);
  });

  test('a single zero block is skipped', () => {
    const tar = Buffer.concat([FILE, ZERO_BLOCK, tarFile('f', Buffer.alloc(100)), END_OF_ARCHIVE]);
    assert.deepEqual(shape(tar), [-1024 - 512 - 512, 100, -412 - 1024]);
    // Also between an extension header and its entry.
    const pax = [paxHeader([['size', '100']]), ZERO_BLOCK, tarFile('f', Buffer.alloc(100), { size: 0 })];
    assert.deepEqual(shape(Buffer.concat(pax)), [-1024 - 512 - 512, 100, -412]);
  });

  test('extension types in a header of no known format are entries', () => {
    for (const type of ['L', 'K', 'x', 'S']) {
      const entry = tarFile('f', Buffer.alloc(100), { type, format: 'v7' });
      assert.deepEqual(shape(Buffer.concat([entry, entry])), [-2048], type);
    }
  });

  test('a global header takes the extension headers before it along', () => {
    const size = paxHeader([['size', '600']]);
    const global = paxHeader([['size', '700']], { type: 'g' });
    assert.deepEqual(shape(Buffer.concat([size, global, FILE])), [-3072]);
    // Even ones that are malformed.
    const malformed = tarEntry({ name: 'x', type: 'x' }, '99 path=x\n');
    assert.deepEqual(shape(Buffer.concat([malformed, global, FILE])), [-3072]);
    const v7 = paxHeader([], { type: 'g', format: 'v7' });
    assert.deepEqual(shape(Buffer.concat([v7, FILE])), [-1536]);
  });

  test('the extension headers may come in any order, and apply to one entry only', () => {
    const parts = [gnuLongLink('target'), paxHeader([['size', '600']]), gnuLongName('name')];
    const file = [tarHeader({ name: '' }), Buffer.alloc(1024)];
    assert.deepEqual(shape(Buffer.concat([...parts, ...file, FILE])), [-3 * 1024 - 512, 600, -424 - 1024]);
  });

  test('an extension header without data counts', () => {
    assertRefused(
      Buffer.concat([tarHeader({ name: 'l', type: 'L', format: 'gnu' }), FILE]),
      'entry has empty path',
      512,
    );
    assert.deepEqual(shape(Buffer.concat([tarHeader({ name: 'x', type: 'x' }), FILE])), [-1536]);
  });

  test('a path consists of a prefix alone, too', () => {
    assert.deepEqual(shape(tarHeader({ name: '', prefix: 'p' })), [-512]);
  });
});

describe('refused with a message that names the place', () => {
  const bad = (field: Partial<Parameters<typeof tarHeader>[0]>): Buffer =>
    Buffer.concat([FILE, tarHeader({ name: 'f', ...field }), END_OF_ARCHIVE]);
  const patched = (offset: number, text: string): Buffer =>
    bad({ patch: (header) => header.write(text, offset, 'latin1') });

  test('a wrong checksum, in extension headers too', () => {
    for (const type of ['0', '5', 'x', 'g', 'L', 'V']) {
      const header = tarHeader({ name: 'f', type });
      const sum = Number.parseInt(header.toString('latin1', 148, 155), 8);
      const text = `header error: checksum mismatch: expected 1, computed ${sum}`;
      assertRefused(bad({ type, checksum: 1 }), text, 1024);
    }
  });

  test('the checksum is unsigned', () => {
    const header = tarHeader({ name: Buffer.from([0xff, 0xfe]) });
    const sum = Number.parseInt(header.toString('latin1', 148, 155), 8);
    fixChecksum(header, sum - 512);
    assertRefused(header, `header error: checksum mismatch: expected ${sum - 512}, computed ${sum}`, 0);
  });

  test('a checksum that is no number', () => {
    const header = tarHeader({ name: 'f' });
    header.write('xyz\0\0\0\0\0', 148, 'latin1');
    assertRefused(header, 'header error: invalid octal field: [120, 121, 122, 0, 0, 0, 0, 0]', 0);
  });

  test('malformed numbers, even of fields that PAX overrides or the type does not use', () => {
    for (const [offset, text] of [
      [100, 'abc\0\0\0\0\0'],
      [108, '9\0\0\0\0\0\0\0'],
      [116, '1 2\0\0\0\0\0'],
      [124, '0x10\0\0\0\0\0\0\0\0'],
      [136, '-1\0\0\0\0\0\0\0\0\0\0'],
      [329, '\x80\0\0\0\0\0\0\x01'],
      [337, 'x\0\0\0\0\0\0\0'],
    ] as const) {
      const bytes = [...Buffer.from(text, 'latin1')].join(', ');
      assertRefused(patched(offset, text), `header error: invalid octal field: [${bytes}]`, 1024);
    }
    const pax = Buffer.concat([paxHeader([['uid', '1']]), patched(108, 'x\0\0\0\0\0\0\0').subarray(1024)]);
    assertRefused(pax, 'header error: invalid octal field: [120, 0, 0, 0, 0, 0, 0, 0]', 1024);
  });

  test('device numbers of headers without them are not looked at', () => {
    const tar = bad({ format: 'v7', patch: (header) => header.write('x', 329) });
    assert.deepEqual(shape(tar), [-tar.length]);
  });

  test('extension headers may have nonsense in the fields that are not theirs', () => {
    const nonsense = (header: Buffer): Buffer => header.fill('x', 100, 124).fill('x', 136, 148).fill('x', 329, 345);
    const tar = Buffer.concat([paxHeader([['size', '0']], { patch: nonsense }), tarHeader({ name: 'f', size: 5 })]);
    assert.deepEqual(shape(tar), [-1536]);
  });

  test('sizes', () => {
    const size = (value: bigint, type = '0'): Buffer =>
      bad({ type, patch: (header) => putBase256(header, 124, 12, value) });
    assertRefused(size(-1n), 'invalid entry size: 18446744073709551615', 1024);
    assertRefused(size(2n ** 64n - 511n), `invalid entry size: ${2n ** 64n - 511n}`, 1024);
    for (const value of [2n ** 64n - 512n, 2n ** 53n, 2n ** 53n - 1n]) {
      assertRefused(size(value), `invalid entry size: ${value} is beyond the supported range of 2^53 - 1`, 1024);
      const pax = Buffer.concat([paxHeader([['size', String(value)]]), tarHeader({ name: 'f' })]);
      assertRefused(pax, `invalid entry size: ${value} is beyond the supported range of 2^53 - 1`, 1024);
    }
    for (const type of ['x', 'g', 'L', 'K']) {
      assertRefused(size(2n ** 63n, type), `metadata exceeds limit: ${2n ** 63n} bytes > 1048576 bytes`, 1024);
      assertRefused(size(1048577n, type), 'metadata exceeds limit: 1048577 bytes > 1048576 bytes', 1024);
    }
    assertRefused(size(2n ** 53n - 512n), 'unexpected EOF reading tar entry', 2560);
  });

  test('a limit on the extension headers of one entry together', () => {
    const pax = paxHeader([['comment', 'x'.repeat(1_000_000)]]);
    const name = (length: number): Buffer => gnuLongName('n'.repeat(length));
    const rest = 1048576 - Number.parseInt(pax.toString('latin1', 124, 135), 8);
    assert.equal(shape(Buffer.concat([pax, name(rest - 1), FILE, pax, FILE])).length, 1);
    const tar = Buffer.concat([pax, name(rest), FILE]);
    assertRefused(tar, 'metadata exceeds limit: 1048577 bytes > 1048576 bytes', pax.length);
  });

  test('two extension headers of one kind', () => {
    const pax = paxHeader([['path', 'p']]);
    const twice = (header: Buffer): Buffer => Buffer.concat([header, header, FILE]);
    assertRefused(twice(pax), 'duplicate PAX extended header', 1024);
    assertRefused(twice(gnuLongName('n')), 'duplicate GNU long name entry', 1024);
    assertRefused(twice(gnuLongLink('l')), 'duplicate GNU long link entry', 1024);
  });

  test('extension headers without an entry', () => {
    for (const header of [paxHeader([['path', 'p']]), gnuLongName('n')]) {
      assertRefused(tarArchive([header]), 'metadata entries without a following actual entry', 1536);
    }
  });

  test('sparse files', () => {
    const gnu = tarHeader({ name: 's', type: 'S', format: 'gnu' });
    assertRefused(gnu, 'sparse tar entries are not supported', 0);
    assertRefused(tarHeader({ name: 's', type: 'S' }), 'sparse entry type but header is not GNU format', 0);
    for (const type of ['0', '5']) {
      const pax = Buffer.concat([paxHeader([['GNU.sparse.map', '0,1']]), tarHeader({ name: 's', type })]);
      assertRefused(pax, 'sparse tar entries are not supported', 1024);
    }
  });

  test('PAX records', () => {
    const tar = Buffer.concat([tarEntry({ name: 'x', type: 'x' }, '99 path=x\n'), FILE]);
    assertRefused(tar, 'PAX error: malformed PAX extension record', 1024);
    const size = Buffer.concat([paxHeader([['size', '1x']]), FILE]);
    assertRefused(size, 'invalid PAX size value: "1x"', 1024);
  });

  test('an empty path', () => {
    assertRefused(bad({ name: '' }), 'entry has empty path', 1024);
    assertRefused(bad({ name: '', prefix: 'p', format: 'gnu' }), 'entry has empty path', 1024);
    assertRefused(Buffer.concat([paxHeader([['path', '']]), FILE]), 'entry has empty path', 1024);
    assertRefused(Buffer.concat([paxHeader([['GNU.sparse.name', '']]), FILE]), 'entry has empty path', 1024);
  });

  test('an end in the middle', () => {
    const pax = paxHeader([['path', 'x'.repeat(600)]]);
    for (const cut of [1, 511]) assertRefused(FILE.subarray(0, cut), 'unexpected EOF in tar stream', cut);
    for (const cut of [512, 513, 1023, 1024, pax.length]) {
      assertRefused(pax.subarray(0, cut), 'unexpected EOF in tar stream', cut);
    }
    assertRefused(Buffer.concat([FILE, ZERO_BLOCK]), 'unexpected EOF in tar stream', 1536);
    const global = paxHeader([['path', 'x']], { type: 'g' });
    assertRefused(global.subarray(0, 1023), 'unexpected EOF in tar stream', 1023);
    const large = tarFile('f', Buffer.alloc(600));
    for (const cut of [512, 513, 1111]) assertRefused(large.subarray(0, cut), 'unexpected EOF reading tar entry', cut);
    for (const cut of [1112, 1535]) assertRefused(large.subarray(0, cut), 'unexpected EOF reading tar padding', cut);
    for (const cut of [512, 519, 1023]) assertRefused(FILE.subarray(0, cut), 'unexpected EOF reading tar entry', cut);
  });
});

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
  const part = fc.oneof(
    content.map((data) => ({ tar: tarFile('file', Buffer.from(data)), file: Buffer.from(data) })),
    fc
      .constantFrom(...kitchenSink().filter((each) => each.length === 512 && each[156] !== 0))
      .map((tar) => ({ tar, file: undefined })),
    content.map((data) => ({ tar: tarFile('other', Buffer.from(data), { type: '5' }), file: undefined })),
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
        parts.flatMap(({ file }) => (file !== undefined && file.length > 64 ? [file] : [])),
      );
    }),
    { numRuns: 200 },
  );
});

test('mutated archives are split or refused, and what is split is complete', () => {
  const { COMPOSEFS_TEST_FUZZ = '2000' } = process.env;
  const runs = Number(COMPOSEFS_TEST_FUZZ);
  const original = tarArchive(kitchenSink());
  const headers = [0, 512, 1536, 5120, 6144, 6656, 8192, 9216].filter((offset) => offset < original.length);
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

test('30,000 plain headers take well under 200 ms', () => {
  const chunk = Buffer.concat(Array.from({ length: 128 }, () => tarHeader({ name: 'usr/share/doc/some/file.txt' })));
  const run = (): number => {
    const ignore = (): void => {};
    const splitter = new TarSplitter({ inline: ignore, beginFile: ignore, fileData: ignore, endFile: ignore });
    const start = performance.now();
    for (let count = 0; count < 30_000; count += 128) splitter.push(chunk);
    return performance.now() - start;
  };
  const best = Math.min(run(), run(), run());
  assert(best < 200, `${best} ms`);
});
