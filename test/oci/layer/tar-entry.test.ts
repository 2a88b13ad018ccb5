import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { trustedObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { SplitStreamError } from '../../../src/composefs/splitstream/error.js';
import type { LeafContent } from '../../../src/composefs/tree/inode.js';
import { formatTarEntry } from '../../../src/oci/layer/format-entry.js';
import { readLayerInfo } from '../../../src/oci/layer/layer-info.js';
import {
  LayerError,
  makeAbsolute,
  makeDevice,
  readTarEntries,
  type TarEntry,
} from '../../../src/oci/layer/tar-entry.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { TarError } from '../../../src/tar/tar-error.js';
import { baseImageLayers, boundaryFilesLayer } from '../../support/base-image.js';
import { MemoryStore } from '../../support/memory-store.js';
import {
  END_OF_ARCHIVE,
  gnuLongLink,
  gnuLongName,
  paxHeader,
  putBase256,
  tarArchive,
  tarDevice,
  tarDirectory,
  tarEntry,
  tarFifo,
  tarFile,
  tarHardlink,
  tarHeader,
  tarSymlink,
} from '../../support/tar-builder.js';
import { entriesOf, importTar, makeSplitStream, openSplitStream } from './layer-support.js';

function only(...parts: Buffer[]): TarEntry {
  const [entry, ...others] = entriesOf(tarArchive(parts));
  assert(entry !== undefined);
  assert.equal(others.length, 0);
  return entry;
}

function content(...parts: Buffer[]): LeafContent {
  const { item } = only(...parts);
  assert.equal(item.type, 'leaf');
  assert(item.type === 'leaf');
  return item.content;
}

function linesOf(tar: Buffer): string[] {
  return entriesOf(tar).map(formatTarEntry);
}

describe('paths', () => {
  const paths: [string, string][] = [
    ['foo/bar', '/foo/bar'],
    ['/foo/bar', '/foo/bar'],
    ['dir/', '/dir'],
    ['/dir/', '/dir'],
    ['dir//', '/dir'],
    ['a', '/a'],
    ['a/b/c/', '/a/b/c'],
    ['', ''],
    ['/', ''],
    ['//', ''],
    ['///', ''],
    ['./', '/.'],
    ['.', '/.'],
    ['./usr/share/', '/./usr/share'],
    ['//a', '//a'],
    ['a//b', '/a//b'],
    ['../a', '/../a'],
  ];
  test('are made absolute', () => {
    for (const [path, absolute] of paths) assert.equal(makeAbsolute(path as ByteString), absolute, path);
  });

  test('names of 100 bytes, prefixes, long names and PAX paths', () => {
    const name = 'n'.repeat(100);
    const prefix = 'p'.repeat(153);
    const long = `${'d/'.repeat(200)}x`;
    const ustar = { name, prefix };
    assert.equal(only(tarHeader({ name })).path, `/${name}`);
    assert.equal(only(tarHeader(ustar)).path, `/${prefix}/${name}`);
    assert.equal(only(tarHeader({ ...ustar, format: 'gnu' })).path, `/${name}`);
    assert.equal(only(gnuLongName(long), tarHeader(ustar)).path, `/${long}`);
    assert.equal(only(gnuLongName('gnu'), paxHeader([['path', long]]), tarHeader(ustar)).path, `/${long}`);
    const sparse = paxHeader([
      ['GNU.sparse.name', 'real'],
      ['path', long],
    ]);
    assert.equal(only(sparse, tarHeader(ustar)).path, '/real');
  });

  test('are bytes: not UTF-8, with NUL', () => {
    const path = Buffer.from([0x61, 0xff, 0x00, 0x62]);
    assert.equal(only(paxHeader([['path', path]]), tarHeader({ name: 'x' })).path, '/a\xff\0b');
    assert.equal(only(tarHeader({ name: Buffer.from([0xfe]) })).path, '/\xfe');
  });

  test('a long name loses one NUL at its end and no more', () => {
    const bare = (name: string): Buffer => tarEntry({ name: 'l', type: 'L', format: 'gnu' }, name);
    assert.equal(only(bare('abc'), tarHeader({ name: 'x' })).path, '/abc');
    assert.equal(only(bare('abc\0\0'), tarHeader({ name: 'x' })).path, '/abc\0');
  });
});

describe('items', () => {
  test('directories, with data that mean nothing', () => {
    assert.equal(only(tarDirectory('d/')).item.type, 'directory');
    assert.equal(only(tarFile('d', Buffer.alloc(100_000), { type: '5' })).item.type, 'directory');
  });

  test('files inline and external', () => {
    for (const type of ['0', '\0', '7']) {
      assert.deepEqual(content(tarFile('f', 'hello', { type })), {
        type: 'regular',
        file: { storage: 'inline', data: Buffer.from('hello') },
      });
      const id = '097e39836f303d0546bb49f570157f2c38ed302d174dfdfa1a45887bcd6ad4d6';
      assert.deepEqual(content(tarFile('f', 'x'.repeat(65), { type })), {
        type: 'regular',
        file: { storage: 'external', id, size: 65 },
      });
    }
  });

  test('large files of which only the object is read', () => {
    const size = 200_000;
    const entries = entriesOf(tarArchive([tarFile('f', Buffer.alloc(size)), tarFile('g', 'x')]));
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['/f', '/g'],
    );
  });

  test('symlinks, verbatim, also empty ones', () => {
    assert.deepEqual(content(tarSymlink('s', '/a//b/')), { type: 'symlink', target: '/a//b/' });
    assert.deepEqual(content(tarSymlink('s', '')), { type: 'symlink', target: '' });
    assert.deepEqual(content(paxHeader([['linkpath', '']]), tarSymlink('s', 'x')), { type: 'symlink', target: '' });
  });

  test('hard links, made absolute', () => {
    assert.deepEqual(only(tarHardlink('h', 'a/b/')).item, { type: 'hardlink', target: '/a/b' });
    assert.deepEqual(only(tarHardlink('h', '')).item, { type: 'hardlink', target: '' });
  });

  test('link targets: PAX before GNU before the header', () => {
    const long = 't'.repeat(300);
    for (const make of [tarSymlink, tarHardlink]) {
      const target = (...parts: Buffer[]): string => {
        const { item } = only(...parts, make('l', 'short'));
        assert(item.type !== 'directory');
        if (item.type === 'hardlink') return item.target.slice(1);
        assert(item.content.type === 'symlink');
        return item.content.target;
      };
      assert.equal(target(), 'short');
      assert.equal(target(gnuLongLink(long)), long);
      assert.equal(target(gnuLongLink('gnu'), paxHeader([['linkpath', long]])), long);
    }
  });

  test('devices and fifos', () => {
    assert.deepEqual(content(tarDevice('c', '3', 1, 3)), { type: 'character-device', rdev: 0x103 });
    assert.deepEqual(content(tarDevice('b', '4', 259, 70000)), { type: 'block-device', rdev: 0x11110370 });
    assert.deepEqual(content(tarDevice('w', '3', 0, 0)), { type: 'character-device', rdev: 0 });
    assert.deepEqual(content(tarFifo('p')), { type: 'fifo' });
  });

  test('makedev of glibc', () => {
    assert.equal(makeDevice(1n, 3n), 0x103n);
    assert.equal(makeDevice(0xffn, 0x1ffn), 0x10ffffn);
    assert.equal(makeDevice(0xabcdefn, 0x123456n), 0x00abc001234def56n);
    assert.equal(makeDevice(0o77777777n, 0o77777777n), 72040070571360255n); // as the reference prints it
  });
});

describe('metadata', () => {
  test('of the header', () => {
    const { stat } = only(tarHeader({ name: 'f', mode: 0o4755, uid: 1000, gid: 100, mtime: 1234567890 }));
    assert.deepEqual(stat, {
      mode: 0o4755,
      uid: 1000,
      gid: 100,
      mtimeSec: 1234567890,
      mtimeNsec: 0,
      xattrs: new Map(),
    });
  });

  test('type bits in the mode are dropped', () => {
    assert.equal(only(tarHeader({ name: 'f', mode: 0o120644 })).stat.mode, 0o644);
  });

  test('PAX before the header', () => {
    const pax = paxHeader([
      ['uid', '4000000000'],
      ['gid', '7'],
      ['mtime', '1234567890.123456789'],
      ['SCHILY.xattr.user.a', Buffer.from([0, 0xff])],
      ['SCHILY.xattr.user.a', 'last'],
    ]);
    const { stat } = only(pax, tarHeader({ name: 'f', uid: 1, gid: 1, mtime: 1 }));
    assert.deepEqual([stat.uid, stat.gid, stat.mtimeSec, stat.mtimeNsec], [4000000000, 7, 1234567890, 123456789]);
    assert.deepEqual([...stat.xattrs], [['user.a', 'last']]);
  });

  test('owners wrap at 32 bits', () => {
    const header = tarHeader({ name: 'f', patch: (block) => putBase256(block, 108, 8, 2n ** 32n + 5n) });
    assert.equal(only(header).stat.uid, 5);
    assert.equal(only(paxHeader([['uid', String(2n ** 64n - 1n)]]), tarHeader({ name: 'f' })).stat.uid, 2 ** 32 - 1);
  });

  test('times before 1970 are possible in base 256', () => {
    const header = tarHeader({ name: 'f', patch: (block) => putBase256(block, 136, 12, -86400n) });
    assert.equal(only(header).stat.mtimeSec, -86400);
  });

  test('times beyond 2^53 and device numbers beyond are refused by name', () => {
    const time = tarHeader({ name: 'f', patch: (block) => putBase256(block, 136, 12, 2n ** 60n) });
    assert.throws(() => only(time), {
      code: 'INTEGER_TOO_LARGE',
      message: /^mtime of "\/f" 1152921504606846976 is beyond/,
    });
    const device = tarHeader({ name: 'c', type: '3', patch: (block) => block.fill('7', 329, 345) });
    assert.throws(() => only(device), { message: /^device number of "\/c" 72040070571360255 is beyond/ });
  });
});

describe('entry lines', () => {
  test('of the boundary files', () => {
    assert.deepEqual(linesOf(boundaryFilesLayer().tar), [
      '/file0 0 100700 1 0 0 0 0.0 - - -',
      '/file4095 4095 100700 1 0 0 0 0.0 53/72beb83c78537c8970c8361e3254119fafdf1763854ecd57d3f0fe2da7c719 - 5372beb83c78537c8970c8361e3254119fafdf1763854ecd57d3f0fe2da7c719',
      '/file4096 4096 100700 1 0 0 0 0.0 ba/bc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e - babc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e',
      '/file4097 4097 100700 1 0 0 0 0.0 09/3756e4ea9683329106d4a16982682ed182c14bf076463a9e7f97305cbac743 - 093756e4ea9683329106d4a16982682ed182c14bf076463a9e7f97305cbac743',
    ]);
  });

  test('of every kind, with link count 1', () => {
    const tar = tarArchive([
      tarDirectory('./'),
      tarDirectory('/'),
      tarDirectory('./usr/', { mtime: 5 }),
      tarHardlink('h', 'a b', { mode: 0o600 }),
      tarHardlink('i', ''),
      tarSymlink('s', '-'),
      tarDevice('c', '3', 1, 3),
      tarFifo('p'),
      tarFile('.wh.x', ''),
      paxHeader([
        ['mtime', '1.000000001'],
        ['SCHILY.xattr.user.z', 'a=b'],
        ['SCHILY.xattr.user.a', ''],
      ]),
      tarFile('f', '-'),
    ]);
    assert.deepEqual(linesOf(tar), [
      '/. 0 40755 1 0 0 0 0.0 - - -',
      '- 0 40755 1 0 0 0 0.0 - - -',
      '/./usr 0 40755 1 0 0 0 5.0 - - -',
      '/h 0 @120000 - - - - 0.0 /a\\x20b - -',
      '/i 0 @120000 - - - - 0.0 - - -',
      '/s 1 120777 1 0 0 0 0.0 \\x2d - -',
      '/c 0 20644 1 0 0 259 0.0 - - -',
      '/p 0 10644 1 0 0 0 0.0 - - -',
      '/.wh.x 0 100644 1 0 0 0 0.0 - - -',
      '/f 1 100644 1 0 0 0 1.1 - \\x2d - user.a= user.z=a\\x3db',
    ]);
  });

  test('a hard link after its target', () => {
    const busybox = baseImageLayers()[1]?.tar.subarray(0, -END_OF_ARCHIVE.length) ?? Buffer.alloc(0);
    const lines = linesOf(tarArchive([busybox, tarHardlink('usr/bin/cp', 'usr/bin/busybox')]));
    assert.equal(lines.at(-1), '/usr/bin/cp 0 @120000 - - - - 0.0 /usr/bin/busybox - -');
  });
});

describe('the end of the entries', () => {
  test('end blocks end them whatever follows', () => {
    const tar = Buffer.concat([tarFile('a', ''), END_OF_ARCHIVE, tarFile('b', 'x'.repeat(100))]);
    assert.deepEqual(
      entriesOf(tar).map(({ path }) => path),
      ['/a'],
    );
    assert.deepEqual(entriesOf(END_OF_ARCHIVE), []);
    assert.deepEqual(entriesOf(Buffer.alloc(0)), []);
  });

  test('global headers and stray zero blocks are passed over', () => {
    const global = paxHeader([['path', 'global']], { type: 'g' });
    const tar = tarArchive([
      paxHeader([['path', 'lost']]),
      global,
      tarFile('a', ''),
      Buffer.alloc(512),
      tarFile('b', ''),
    ]);
    assert.deepEqual(
      entriesOf(tar).map(({ path }) => path),
      ['/a', '/b'],
    );
  });

  test('without end blocks a last entry with content ends them', () => {
    assert.deepEqual(
      entriesOf(tarFile('a', 'x')).map(({ path }) => path),
      ['/a'],
    );
  });

  test('without end blocks a last entry of size 0 is an error, as in the reference', () => {
    assert.throws(() => entriesOf(tarFile('a', '')), { message: 'Unexpected EOF in splitstream' });
  });

  test('a stream that ends within extension headers has no more entries', () => {
    const pax = paxHeader([['path', 'x'.repeat(600)]]);
    for (const length of [512, 1024, pax.length]) {
      const store = new MemoryStore();
      const stream = makeSplitStream([pax.subarray(0, length)], store);
      assert.deepEqual([...readTarEntries(openSplitStream(stream, store))], []);
    }
  });
});

describe('splitstreams that do not hold a layer', () => {
  const OBJECT = { object: Buffer.alloc(100, 1) };
  const OBJECT_ID = new MemoryStore().storeObject(OBJECT.object).id;

  function read(...parts: (Buffer | { object: Buffer })[]): TarEntry[] {
    const store = new MemoryStore();
    return [...readTarEntries(openSplitStream(makeSplitStream([...parts, END_OF_ARCHIVE], store), store))];
  }

  test('entries of types that have no place in a tree', () => {
    for (const [type, name] of [
      ['V', 'Other(86)'],
      ['S', 'GnuSparse'],
      ['x', 'XHeader'],
      ['L', 'GnuLongName'],
      ['K', 'GnuLongLink'],
    ] as const) {
      const header = tarHeader({ name: 'a', type, format: 'v7' });
      assert.throws(() => read(header), {
        message: `Unsupported entry type ${name} (entry "/a")`,
        code: 'INVALID_LAYER',
      });
    }
  });

  test('devices in a header without device numbers', () => {
    for (const type of ['3', '4']) {
      const message = 'Device entry without device numbers? (entry "/c")';
      assert.throws(() => read(tarHeader({ name: 'c', type, format: 'v7' })), { message });
    }
  });

  test('sparse files', () => {
    assert.throws(() => read(tarHeader({ name: 's', type: 'S', format: 'gnu' })), {
      message: 'Sparse tar entries are not supported (at tar offset 0)',
    });
    const pax = paxHeader([['GNU.sparse.map', '']]);
    assert.throws(() => read(tarFile('f', ''), pax, tarHeader({ name: 's' })), {
      message: 'Sparse tar entries are not supported (at tar offset 1536)',
    });
  });

  test('a malformed header, with its place', () => {
    const parts = [
      tarHeader({ name: 'f', size: 100 }),
      OBJECT,
      Buffer.alloc(412),
      tarHeader({ name: 'g', checksum: 1 }),
    ];
    assert.throws(() => read(...parts), TarError);
    assert.throws(() => read(...parts), /^TarError: header error: checksum mismatch: .* \(at tar offset 1024\)$/);
  });

  test('an object for anything but a file', () => {
    for (const size of [100, 100_000]) {
      const parts = [tarHeader({ name: 'd', type: '5', size }), OBJECT, Buffer.alloc(412)];
      const message = `Unsupported external-chunked entry Directory ${OBJECT_ID} (entry "/d")`;
      assert.throws(() => read(...parts), { message });
    }
  });

  test('a small file as an object', () => {
    const message = 'Splitstream incorrectly stored a small (64 byte) file external (entry "/f")';
    assert.throws(() => read(tarHeader({ name: 'f', size: 64 }), OBJECT, Buffer.alloc(448)), { message });
  });

  test('a large file inline', () => {
    for (const size of [65, 100_000]) {
      const message = `Splitstream incorrectly stored a large (${size} byte) file inline (entry "/f")`;
      assert.throws(() => read(tarFile('f', Buffer.alloc(size))), { message });
    }
  });

  test('an object where a header or padding should be', () => {
    const message = 'Unexpected external reference in splitstream';
    assert.throws(() => read(OBJECT), { message });
    assert.throws(() => read(tarHeader({ name: 'x', type: 'x', size: 100 }), OBJECT), { message });
    assert.throws(() => read(tarHeader({ name: 'f', size: 100 }), OBJECT, OBJECT), { message });
    assert.throws(() => read(tarHeader({ name: 'f', size: 100_000 }), OBJECT, OBJECT), SplitStreamError);
  });

  test('sizes that lie', () => {
    const lie = (type: string): Buffer =>
      tarHeader({ name: 'f', type, patch: (block) => putBase256(block, 124, 12, 2n ** 50n) });
    assert.throws(() => read(lie('5')), SplitStreamError);
    assert.throws(() => read(lie('5'), Buffer.alloc(1_000_000)), SplitStreamError);
    assert.throws(() => read(lie('0'), Buffer.alloc(1_000_000)), LayerError);
  });
});

describe('layer info', () => {
  const diffId = 'sha256:00' as OciDigest;
  const verity = trustedObjectId('ab');

  test('of the boundary files', () => {
    const { tar } = boundaryFilesLayer();
    const { splitStream, store } = importTar(tar);
    const info = readLayerInfo(diffId, verity, openSplitStream(splitStream, store));
    const splitstream = { externalObjects: 3, externalSize: 12288, inlineSize: 3584 };
    assert.deepEqual(info, { diffId, verity, size: 15872, entryCount: 4, splitstream });
    assert.deepEqual(Object.keys(info), ['diffId', 'verity', 'size', 'entryCount', 'splitstream']);
    assert.deepEqual(Object.keys(info.splitstream), ['externalObjects', 'externalSize', 'inlineSize']);
  });

  test('objects count once, their sizes each time; extension headers belong to their entry', () => {
    const data = Buffer.alloc(100);
    const tar = tarArchive([
      tarDirectory('d'),
      gnuLongName('long'),
      tarFile('a', data),
      tarFile('b', data),
      tarHardlink('h', 'a'),
      tarFile('.wh.x', ''),
    ]);
    const { splitStream, store } = importTar(tar);
    const info = readLayerInfo(diffId, verity, openSplitStream(splitStream, store));
    assert.equal(info.entryCount, 5);
    assert.deepEqual(info.splitstream, { externalObjects: 1, externalSize: 200, inlineSize: tar.length - 200 });
  });

  test('the inline size is never negative', () => {
    const store = new MemoryStore();
    const stream = makeSplitStream(
      [tarHeader({ name: 'f', size: 5000 }), { object: Buffer.alloc(9) }, Buffer.alloc(1144)],
      store,
    );
    const info = readLayerInfo(diffId, verity, openSplitStream(stream, store));
    assert.equal(info.splitstream.inlineSize, 0);
  });
});
