import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { formatTarEntry } from '../../../src/oci/layer/format-entry.js';
import { makeAbsolute, makeDevice, type TarEntry, type TarItem } from '../../../src/oci/layer/tar-entry.js';
import { baseImageLayers, boundaryFilesLayer } from '../../support/base-image.js';
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
import { content, entriesOf, only } from './layer-support.js';

function onlyForReference(...parts: Buffer[]): TarEntry {
  const [entry, ...others] = entriesOf(tarArchive(parts), 'reference');
  assert(entry !== undefined);
  assert.deepEqual([others.length, entry.differences], [0, undefined]);
  return entry;
}

function targetOf(item: TarItem): string {
  assert(item.type === 'leaf' && item.content.type === 'symlink');
  return item.content.target;
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
    assert.equal(only(tarHeader({ name, prefix: '7', format: 'gnu' })).path, `/${name}`);
    assert.equal(only(gnuLongName(long), tarHeader(ustar)).path, `/${long}`);
    assert.equal(only(gnuLongName('gnu'), paxHeader([['path', long]]), tarHeader(ustar)).path, `/${long}`);
    const sparse = paxHeader([
      ['GNU.sparse.name', 'real'],
      ['path', long],
    ]);
    assert.equal(only(sparse, tarHeader(ustar)).path, '/real');
  });

  test('are bytes', () => {
    const path = Buffer.from([0x61, 0xff, 0x0a, 0x62]);
    assert.equal(only(paxHeader([['path', path]]), tarHeader({ name: 'x' })).path, '/a\xff\nb');
    assert.equal(only(tarHeader({ name: Buffer.from([0xfe]) })).path, '/\xfe');
  });

  test('a long name, or link, ends at its first NUL; for the reference it loses one at its end', () => {
    for (const [text, isSame] of [
      ['abc', true],
      ['abc\0', true],
      ['abc\0\0', false],
      ['abc\0def\0', false],
    ] as const) {
      for (const type of ['L', 'K']) {
        const tar = [tarEntry({ name: 'l', type, format: 'gnu' }, text), tarSymlink('x', 'y')];
        const entry = only(...tar);
        assert.deepEqual(entry.differences, isSame ? undefined : ['long-text']);
        const reference = onlyForReference(...tar);
        const named = ({ path, item }: TarEntry): string => (type === 'L' ? path.slice(1) : targetOf(item));
        assert.deepEqual([named(entry), named(reference)], ['abc', text.replace(/\0$/, '')]);
      }
    }
  });

  test('the last of several extension headers of one kind counts', () => {
    const pax = [
      paxHeader([
        ['path', 'first'],
        ['SCHILY.xattr.user.a', 'v'],
      ]),
      paxHeader([['path', 'second']]),
    ];
    const entry = only(...pax, tarHeader({ name: 'x' }));
    assert.deepEqual([entry.path, entry.stat.xattrs.size, entry.differences], ['/second', 0, undefined]);
    assert.equal(only(gnuLongName('first'), gnuLongName('second'), tarHeader({ name: 'x' })).path, '/second');
    const links = [gnuLongLink('first'), gnuLongLink('second')];
    assert.equal(targetOf(only(...links, tarSymlink('x', 'y')).item), 'second');
  });

  test('prefixes: of any version of ustar, of star, and where Go before 1.8 put them', () => {
    const versions = ['\0\0', '  ', ' \0', 'xx'];
    for (const version of versions) {
      const header = tarHeader({ name: 'n', prefix: 'p', patch: (block) => block.write(version, 263, 'latin1') });
      const differences = ['prefix'];
      assert.deepEqual([only(header).path, only(header).differences], ['/p/n', differences]);
      assert.equal(onlyForReference(header).path, '/n');
    }
    const star = (length: number): Buffer =>
      tarHeader({
        name: 'n',
        prefix: `${'p'.repeat(length)}${length < 131 ? '\0' : ''}14000000000`,
        patch: (block) => block.write('tar\0', 508, 'latin1'),
      });
    assert.deepEqual([only(star(130)).path, only(star(130)).differences], [`/${'p'.repeat(130)}/n`, undefined]);
    assert.deepEqual([only(star(131)).path, only(star(131)).differences?.length], [`/${'p'.repeat(131)}/n`, 1]);
    assert.equal(onlyForReference(star(131)).path, `/${'p'.repeat(131)}14000000000/n`);
    const go = tarHeader({ name: 'n', prefix: 'usr/lib', format: 'gnu' });
    assert.deepEqual([only(go).path, only(go).differences?.length, onlyForReference(go).path], ['/usr/lib/n', 1, '/n']);
    for (const times of ['00000000017\0', '00000000017\x0000000000017\0', '\x80junk', '\xff'.repeat(155)]) {
      const header = tarHeader({ name: 'n', prefix: Buffer.from(times, 'latin1'), format: 'gnu' });
      assert.deepEqual([only(header).path, only(header).differences], ['/n', undefined]);
    }
  });

  test('a prefix in any other header means nothing', () => {
    for (const magic of ['ustar \0\0', 'ustar  x', 'ustax\x0000', 'xstar\x0000']) {
      const header = tarHeader({ name: 'n', prefix: 'p', patch: (block) => block.write(magic, 257, 'latin1') });
      assert.equal(only(header).path, '/n', magic);
    }
  });
});

describe('items', () => {
  test('directories, also of the old kind', () => {
    assert.deepEqual(
      [only(tarDirectory('d/')).item.type, only(tarDirectory('d/')).differences],
      ['directory', undefined],
    );
    for (const format of ['v7', 'ustar', 'gnu'] as const) {
      const old = tarHeader({ name: 'd/', type: '\0', format });
      assert.deepEqual(only(old).item, { type: 'directory' });
      assert.deepEqual(only(old).differences, ['old-directory']);
      assert.equal(onlyForReference(old).item.type, 'leaf');
    }
    assert.equal(content(tarHeader({ name: 'f/', type: '0' })).type, 'regular');
  });

  test('a size without data, of which the reference takes the next headers', () => {
    const after = tarFile('after', '');
    for (const type of ['1', '2', '3', '4', '5', '6']) {
      const tar = tarArchive([tarHeader({ name: 'x', type, size: 500 }), after, tarFile('last', '')]);
      const [entry, ...others] = entriesOf(tar);
      assert.deepEqual(entry?.differences, ['header-only-size'], type);
      assert.deepEqual(
        others.map(({ path }) => path),
        ['/after', '/last'],
      );
      assert.deepEqual(
        entriesOf(tar, 'reference').map(({ path }) => path),
        ['/x', '/last'],
      );
    }
  });

  test('a number that begins with a NUL, which the reference takes for 0', () => {
    const patch = (block: Buffer): void => {
      block.write('\x00017\0', 108, 'latin1');
      block.write('\x000005\0', 124, 'latin1');
    };
    const tar = tarArchive([tarFile('f', 'hello', { patch })]);
    const [entry] = entriesOf(tar);
    assert.deepEqual([entry?.stat.uid, entry?.differences], [0o17, ['leading-nul']]);
    assert.throws(() => entriesOf(tar, 'reference'), { message: /^header error: / });
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
    const taken = [paxHeader([['linkpath', '']]), tarSymlink('s', 'x')];
    assert.deepEqual(content(...taken), { type: 'symlink', target: 'x' });
    assert.deepEqual(only(...taken).differences, ['empty-linkpath']);
    assert.equal(targetOf(onlyForReference(...taken).item), '');
    assert.equal(only(paxHeader([['linkpath', '']]), tarHeader({ name: 'f' })).differences, undefined);
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
    const patch = (block: Buffer): void => {
      putBase256(block, 329, 8, 0xfffn);
      putBase256(block, 337, 8, 0xfffffn);
    };
    const largest = { type: 'block-device', rdev: 0xffffffff };
    assert.deepEqual(content(tarHeader({ name: 'b', type: '4', patch })), largest);
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

  test('owners of 32 bits, negative ones as their complement', () => {
    const header = (value: bigint): Buffer =>
      tarHeader({ name: 'f', patch: (block) => putBase256(block, 108, 8, value) });
    for (const [value, uid] of [
      [2n ** 32n - 1n, 2 ** 32 - 1],
      [-2n, 2 ** 32 - 2],
      [-(2n ** 31n), 2 ** 31],
    ] as const) {
      assert.equal(only(header(value)).stat.uid, uid);
    }
    assert.equal(only(paxHeader([['uid', String(2 ** 32 - 1)]]), tarHeader({ name: 'f' })).stat.uid, 2 ** 32 - 1);
  });

  test('times before 1970 are possible in base 256', () => {
    const header = tarHeader({ name: 'f', patch: (block) => putBase256(block, 136, 12, -86400n) });
    assert.equal(only(header).stat.mtimeSec, -86400);
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
