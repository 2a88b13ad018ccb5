import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  END_OF_ARCHIVE,
  fixChecksum,
  gnuLongLink,
  gnuLongName,
  paxHeader,
  putBase256,
  tarArchive,
  tarDirectory,
  tarEntry,
  tarFile,
  tarHeader,
} from '../support/tar-builder.js';
import { assertRefused, joinParts, shape, splitTar } from './recording-sink.js';

const ZERO_BLOCK = Buffer.alloc(512);
const FILE = tarFile('f', 'content');

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
