import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatSize } from '../../src/bytes/format-size.js';
import { NO_TAR_LIMITS, type TarLimits } from '../../src/tar/limits.js';
import { TarSplitter } from '../../src/tar/splitter.js';
import { TarError } from '../../src/tar/tar-error.js';
import { cpuTime } from '../support/cpu-time.js';
import { sparseFile, sparseTars } from '../support/sparse-tars.js';
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
    for (const type of ['8', 'V', 'M', '\xff']) {
      assert.deepEqual(shape(tarFile('f', Buffer.alloc(5000), { type })), [-512 - 5120], type);
    }
  });

  test('links, directories, devices and FIFOs have no data, whatever their size', () => {
    const next = tarFile('next', Buffer.alloc(100));
    for (const type of ['1', '2', '3', '4', '5', '6']) {
      const size = tarHeader({ name: 'x', type, size: 5000 });
      assert.deepEqual(shape(Buffer.concat([size, next])), [-1024, 100, -412], type);
      const pax = Buffer.concat([paxHeader([['size', '7']]), tarHeader({ name: 'x', type }), next]);
      assert.deepEqual(shape(pax), [-1024 - 1024, 100, -412], type);
      const tooLarge = tarHeader({ name: 'x', type, patch: (header) => putBase256(header, 124, 12, 2n ** 60n) });
      assert.deepEqual(shape(Buffer.concat([tooLarge, next])), [-1024, 100, -412], type);
    }
  });

  test('a name that ends in a slash makes a directory of the old type only', () => {
    assert.deepEqual(shape(tarFile('d/', Buffer.alloc(512))), [-512, 512]);
    for (const format of ['v7', 'ustar', 'gnu'] as const) {
      const directory = tarHeader({ name: 'd/', type: '\0', size: 512, format });
      assert.deepEqual(shape(Buffer.concat([directory, FILE])), [-1536], format);
    }
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

  test('extension headers count in headers of any format', () => {
    const anyVersion = (version: string) => (header: Buffer) => header.write(version, 263, 'latin1');
    for (const fields of [{ format: 'v7' }, { patch: anyVersion('\0\0') }, { patch: anyVersion('  ') }] as const) {
      const pax = paxHeader([['size', '600']], fields);
      const file = [tarHeader({ name: 'f', ...fields }), Buffer.alloc(1024)];
      assert.deepEqual(shape(Buffer.concat([pax, ...file])), [-1536, 600, -424]);
      assert.deepEqual(shape(Buffer.concat([gnuLongName('n', fields), tarHeader({ name: '', ...fields })])), [-1536]);
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

  test('an extension header without data says nothing', () => {
    assert.deepEqual(shape(Buffer.concat([tarHeader({ name: 'l', type: 'L', format: 'gnu' }), FILE])), [-1536]);
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

  test('the checksum is one of unsigned or signed bytes', () => {
    const header = tarHeader({ name: Buffer.from([0xff, 0x80, 0x7f]) });
    const sum = Number.parseInt(header.toString('latin1', 148, 155), 8);
    for (const right of [sum, sum - 512]) {
      fixChecksum(header, right);
      assert.deepEqual(shape(header), [-512]);
    }
    for (const wrong of [sum - 256, sum - 511, sum - 768, sum + 512]) {
      fixChecksum(header, wrong);
      assertRefused(header, `header error: checksum mismatch: expected ${wrong}, computed ${sum}`, 0);
    }
  });

  test('a checksum that is no number', () => {
    const header = tarHeader({ name: 'f' });
    header.write('xyz\0\0\0\0\0', 148, 'latin1');
    assertRefused(header, 'header error: invalid octal field: [120, 121, 122, 0, 0, 0, 0, 0]', 0);
  });

  test('malformed numbers, even of fields that PAX overrides', () => {
    for (const [offset, text] of [
      [100, 'abc\0\0\0\0\0'],
      [108, '9\0\0\0\0\0\0\0'],
      [116, '1 2\0\0\0\0\0'],
      [124, '0x10\0\0\0\0\0\0\0\0'],
      [136, '-1\0\0\0\0\0\0\0\0\0\0'],
    ] as const) {
      const bytes = [...Buffer.from(text, 'latin1')].join(', ');
      assertRefused(patched(offset, text), `header error: invalid octal field: [${bytes}]`, 1024);
    }
    const pax = Buffer.concat([paxHeader([['uid', '1']]), patched(108, 'x\0\0\0\0\0\0\0').subarray(1024)]);
    assertRefused(pax, 'header error: invalid octal field: [120, 0, 0, 0, 0, 0, 0, 0]', 1024);
  });

  test('device numbers: those of devices, unless the header has none', () => {
    for (const [type, format] of [
      ['0', 'ustar'],
      ['5', 'gnu'],
      ['3', 'v7'],
    ] as const) {
      const tar = bad({ type, format, patch: (header) => header.write('x', 329) });
      assert.deepEqual(shape(tar), [-tar.length]);
    }
    for (const type of ['3', '4']) {
      const text = 'header error: invalid octal field: [120, 0, 0, 0, 0, 0, 0, 0]';
      assertRefused(bad({ type, patch: (header) => header.write('x', 337) }), text, 1024);
      for (const [major, minor] of [
        [4096n, 0n],
        [0n, 2n ** 20n],
        [-1n, 0n],
        [2n ** 32n, 2n ** 32n],
      ] as const) {
        const patch = (header: Buffer): void => {
          putBase256(header, 329, 8, major);
          putBase256(header, 337, 8, minor);
        };
        const reason = 'Linux has 12 bits for the first number, 20 for the second';
        assertRefused(bad({ type, patch }), `invalid device ${major}:${minor}: ${reason}`, 1024);
      }
    }
  });

  test('owners that do not fit 32 bits, times that do not fit 53', () => {
    for (const [offset, what] of [
      [108, 'uid'],
      [116, 'gid'],
    ] as const) {
      for (const value of [2n ** 32n, -(2n ** 31n) - 1n]) {
        const tar = bad({ patch: (header) => putBase256(header, offset, 8, value) });
        assertRefused(tar, `invalid ${what}: ${value} does not fit 32 bits`, 1024);
      }
      const pax = Buffer.concat([paxHeader([[what, '4294967296']]), FILE]);
      assertRefused(pax, `invalid ${what}: 4294967296 does not fit 32 bits`, 1024);
    }
    const time = bad({ patch: (header) => putBase256(header, 136, 12, 2n ** 53n) });
    assertRefused(time, 'invalid mtime: 9007199254740992 is beyond the supported range of 2^53 - 1', 1024);
    const field = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    const patch = (header: Buffer): void => void Buffer.from(field).copy(header, 124);
    assertRefused(bad({ patch }), `header error: number beyond 64 bits: [${field.join(', ')}]`, 1024);
  });

  test('extension headers may have nonsense in the fields that are not theirs', () => {
    const nonsense = (header: Buffer): Buffer => header.fill('x', 100, 124).fill('x', 136, 148).fill('x', 329, 345);
    const tar = Buffer.concat([paxHeader([['size', '0']], { patch: nonsense }), tarHeader({ name: 'f', size: 5 })]);
    assert.deepEqual(shape(tar), [-1536]);
  });

  test('sizes', () => {
    const size = (value: bigint, type = '0'): Buffer =>
      bad({ type, patch: (header) => putBase256(header, 124, 12, value) });
    assertRefused(size(-1n), 'invalid entry size: -1', 1024);
    for (const value of [2n ** 63n - 1n, 2n ** 53n, 2n ** 53n - 1n]) {
      assertRefused(size(value), `invalid entry size: ${value} is beyond the supported range of 2^53 - 1`, 1024);
      const pax = Buffer.concat([paxHeader([['size', String(value)]]), tarHeader({ name: 'f' })]);
      assertRefused(pax, `invalid entry size: ${value} is beyond the supported range of 2^53 - 1`, 1024);
    }
    for (const type of ['x', 'g', 'L', 'K']) {
      assertRefused(size(-1n, type), 'invalid entry size: -1', 1024);
      assertRefused(size(2n ** 62n, type), `metadata exceeds limit: ${2n ** 62n} bytes > 1048576 bytes`, 1024);
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

  test('PAX records', () => {
    const tar = Buffer.concat([tarEntry({ name: 'x', type: 'x' }, '99 path=x\n'), FILE]);
    assertRefused(tar, 'PAX error: malformed PAX extension record', 1024);
    const size = Buffer.concat([paxHeader([['size', '1x']]), FILE]);
    assertRefused(size, 'invalid PAX size value: "1x"', 1024);
  });

  test('an empty path', () => {
    assertRefused(bad({ name: '' }), 'entry has empty path', 1024);
    assertRefused(bad({ name: '', prefix: '7', format: 'gnu' }), 'entry has empty path', 1024);
  });

  test('an end in the middle', () => {
    const pax = paxHeader([['path', 'x'.repeat(600)]]);
    const dataEnd = 512 + Number.parseInt(pax.toString('latin1', 124, 135), 8);
    for (const cut of [1, 511]) assertRefused(FILE.subarray(0, cut), 'unexpected EOF in tar stream', cut);
    for (const cut of [512, 513, 1023, 1024, dataEnd - 1]) {
      assertRefused(pax.subarray(0, cut), 'unexpected EOF in tar stream', cut);
    }
    const global = paxHeader([['path', 'x']], { type: 'g' });
    assertRefused(global.subarray(0, 520), 'unexpected EOF in tar stream', 520);
    const large = tarFile('f', Buffer.alloc(600));
    for (const cut of [512, 513, 1111]) assertRefused(large.subarray(0, cut), 'unexpected EOF reading tar entry', cut);
    for (const cut of [512, 518]) assertRefused(FILE.subarray(0, cut), 'unexpected EOF reading tar entry', cut);
    assertRefused(Buffer.concat([FILE, Buffer.from('\0\0x')]), 'unexpected EOF in tar stream', 1027);
  });
});

describe('the ends that GNU tar and Go take', () => {
  const large = tarFile('f', Buffer.alloc(600, 1));
  const ends: [string, Buffer][] = [
    ['no end blocks', FILE],
    ['one zero block', Buffer.concat([FILE, ZERO_BLOCK])],
    ['a block and a part of one', Buffer.concat([FILE, ZERO_BLOCK, Buffer.alloc(188)])],
    ['a part of a zero block', Buffer.concat([FILE, Buffer.alloc(100)])],
    ['no padding after a small file', FILE.subarray(0, 519)],
    ['some padding after a small file', FILE.subarray(0, 520)],
    ['no padding after a large file', large.subarray(0, 1112)],
    ['some padding after a large file', large.subarray(0, 1400)],
    ['an empty file', tarHeader({ name: 'f' })],
    ['a symlink with a size', tarHeader({ name: 's', type: '2', size: 7 })],
    ['an extension header', paxHeader([['path', 'p']])],
    ['an extension header without padding', paxHeader([['path', 'p']]).subarray(0, 521)],
    ['an extension header and end blocks', tarArchive([gnuLongName('n')])],
    ['junk after the end blocks', Buffer.concat([FILE, END_OF_ARCHIVE, Buffer.from('junk')])],
    ['another tar after the end blocks', Buffer.concat([tarArchive([FILE]), tarArchive([large])])],
  ];
  for (const [name, tar] of ends) {
    test(name, () => {
      const parts = splitTar(tar);
      assert.deepEqual(joinParts(parts), tar);
      assert.equal(parts.filter((part) => 'file' in part).length, name.includes('large') ? 1 : 0);
      for (const size of [1, 7, 511, 512, 513]) assert.deepEqual(splitTar(tar, [size]), parts);
    });
  }
});

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

const SPARSE_FILE = sparseFile(100_000, [
  [0, 10],
  [5000, 700],
  [50_000, 513],
  [100_000, 0],
]);

describe('sparse files', () => {
  test('are files of their data, with the map', () => {
    for (const [format, tar] of Object.entries(sparseTars(SPARSE_FILE, 'f'))) {
      const parts = splitTar(Buffer.concat([tar, FILE]));
      assert.deepEqual(joinParts(parts), Buffer.concat([tar, FILE]), format);
      const files = parts.flatMap((part) => ('file' in part ? [part] : []));
      assert.equal(files.length, 1);
      assert.deepEqual(files[0]?.file, SPARSE_FILE.data, format);
      const regions = SPARSE_FILE.regions.map(([offset, length]) => ({ offset, length }));
      assert.deepEqual(files[0]?.sparse, { size: 100_000, regions }, format);
    }
  });

  test('with maps of many blocks', () => {
    for (const count of [0, 1, 3, 4, 5, 25, 26, 47, 1000]) {
      const file = sparseFile(
        count * 100 + 100,
        Array.from({ length: count }, (_, i) => [i * 100, 1 + (i % 3)]),
      );
      for (const [format, tar] of Object.entries(sparseTars(file, 'f'))) {
        const [part] = splitTar(tar, [777]).flatMap((each) => ('file' in each ? [each] : []));
        assert.equal(part?.sparse?.regions.length, count, format);
        assert.deepEqual(part?.file, file.data, format);
      }
    }
  });

  test('small ones are inline, holes and all', () => {
    const file = sparseFile(64, [[10, 5]]);
    for (const [format, tar] of Object.entries(sparseTars(file, 'f'))) {
      assert.deepEqual(shape(tar), [-tar.length], format);
    }
  });

  test('nothing but holes', () => {
    const file = sparseFile(2 ** 40, []);
    for (const [format, tar] of Object.entries(sparseTars(file, 'f'))) {
      const before = tar.length;
      assert.deepEqual(shape(Buffer.concat([tar, FILE])), [-before, 0, -1024], format);
      assert.deepEqual(shape(tar), [-before, 0], format);
    }
  });

  test('malformed maps are refused', () => {
    const refused = (size: number, regions: [number, number][], reason: string): void => {
      for (const tar of Object.values(sparseTars(sparseFile(size, regions), 'f'))) {
        assert.throws(() => splitTar(tar), {
          code: 'INVALID_TAR',
          message: new RegExp(`sparse file: ${reason} \\(at`),
        });
      }
    };
    refused(
      1000,
      [
        [100, 10],
        [105, 10],
      ],
      'a region at 105 begins before 110',
    );
    refused(
      1000,
      [
        [100, 10],
        [50, 10],
      ],
      'a region at 50 begins before 110',
    );
    refused(1000, [[995, 10]], 'a region ends at 1005, the file at 1000');
    for (const [format, tar] of Object.entries(
      sparseTars({ ...sparseFile(1000, [[0, 100]]), data: Buffer.alloc(99) }, 'f'),
    )) {
      const data = format === 'pax10' ? 99 : 99;
      assert.throws(() => splitTar(tar), { message: new RegExp(`: ${data} bytes of data for regions of 100 `) });
    }
    const map = (text: string): Buffer =>
      Buffer.concat([
        paxHeader([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
        ]),
        tarFile('f', padded(Buffer.from(text))),
      ]);
    for (const [text, reason] of [
      ['x\n', '"x" is no number'],
      ['1\n-1\n0\n', '"-1" is no number'],
      [`99999\n${'0\n'.repeat(253)}`, 'it is longer than the 512 bytes of data'],
      ['9'.repeat(100), 'a line that is no number'],
      ['', 'it is longer than the 0 bytes of data'],
    ] as const) {
      assert.throws(() => splitTar(Buffer.concat([map(text), ZERO_BLOCK])), {
        message: new RegExp(`sparse file: ${reason}`),
      });
    }
    const many = tarFile('f', Buffer.from(`9999999\n${'0\n'.repeat(700_000)}`));
    const version = paxHeader([
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
    ]);
    assert.throws(() => splitTar(Buffer.concat([version, many])), { message: /metadata exceeds limit: 1049088 bytes/ });
  });

  test('what ends within a map is cut short', () => {
    const file = sparseFile(
      100_000,
      Array.from({ length: 100 }, (_, i) => [i * 100, 1]),
    );
    const { gnu, pax10 } = sparseTars(file, 'f');
    for (const [tar, first] of [
      [gnu, 512],
      [pax10, 1536],
    ] as const) {
      for (const cut of [first, first + 1, first + 512]) {
        assertRefused(tar.subarray(0, cut), 'unexpected EOF in tar stream', cut);
      }
    }
  });

  test('other types, and headers of other formats', () => {
    assertRefused(tarHeader({ name: 's', type: 'S' }), 'sparse entry type but header is not GNU format', 0);
    const records: [string, string][] = [
      ['GNU.sparse.map', '0,1'],
      ['GNU.sparse.numblocks', '1'],
    ];
    const pax = Buffer.concat([paxHeader(records), tarHeader({ name: 's', type: '5' })]);
    assertRefused(pax, 'sparse entry of type Directory', 1024);
    const realSize = tarHeader({
      name: 's',
      type: 'S',
      format: 'gnu',
      patch: (header) => putBase256(header, 483, 12, -1n),
    });
    assertRefused(realSize, 'invalid size of a sparse file: -1', 0);
  });
});

describe('bounds', () => {
  const split = (tar: Buffer, limits: Partial<TarLimits>): void => {
    const ignore = (): void => {};
    const sink = { inline: ignore, beginFile: ignore, fileData: ignore, endFile: ignore };
    const splitter = new TarSplitter(sink, { ...NO_TAR_LIMITS, ...limits });
    splitter.push(tar);
    splitter.finish();
  };

  test('on bytes, holes included', () => {
    split(FILE, { maxBytes: 1024 });
    const message = 'the layer unpacks to more than 1023 bytes (1023 B)';
    assert.throws(() => split(FILE, { maxBytes: 1023 }), { code: 'LAYER_TOO_LARGE', message });
    for (const tar of Object.values(sparseTars(sparseFile(2 ** 40, [[0, 100]]), 'f'))) {
      split(tar, { maxBytes: tar.length + 2 ** 40 - 100 });
      assert.throws(() => split(tar, { maxBytes: tar.length + 2 ** 40 - 101 }), { code: 'LAYER_TOO_LARGE' });
      split(tar, { maxTarBytes: tar.length });
      const tarMessage = `the layer unpacks to more than ${tar.length - 1} bytes (${formatSize(tar.length - 1)})`;
      assert.throws(() => split(tar, { maxTarBytes: tar.length - 1 }), { message: tarMessage });
    }
  });

  test('on entries, whose extension headers count for each 512 bytes', () => {
    const message = 'the layer has more than 2 entries, or too long names and xattrs';
    const path = (length: number): Buffer => paxHeader([['path', 'p'.repeat(length)]]);
    const tar = Buffer.concat([FILE, path(400), FILE]);
    split(tar, { maxEntries: 2 });
    assert.throws(() => split(Buffer.concat([tar, FILE]), { maxEntries: 2 }), { code: 'LAYER_TOO_LARGE', message });
    assert.throws(() => split(Buffer.concat([FILE, path(512), FILE]), { maxEntries: 2 }), { message });
  });
});

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
