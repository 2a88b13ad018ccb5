import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { Directory } from '../../../src/composefs/tree/directory.js';
import { ImageError } from '../../../src/composefs/tree/image-error.js';
import { Leaf } from '../../../src/composefs/tree/inode.js';
import { getDirectory, getLeaf } from '../../../src/composefs/tree/lookup.js';
import { NO_XATTRS, type Stat, UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { transformForOci } from '../../../src/composefs/tree/transform.js';
import { errorChain, findCause, fullMessage } from '../../../src/errors.js';
import { LayerApplier, processEntry } from '../../../src/oci/layer/apply-layer.js';
import { makeAbsolute, type TarEntry, type TarItem } from '../../../src/oci/layer/tar-entry.js';
import { BASE_IMAGE_DUMP, baseImageLayers } from '../../support/base-image.js';
import { paxHeader, tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { entriesOf } from './layer-support.js';

const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };

function entry(path: string, item: TarItem, stat: Stat = STAT): TarEntry {
  return { path: makeAbsolute(path as ByteString), stat, item };
}

const directory = (path: string, stat?: Stat): TarEntry => entry(path, { type: 'directory' }, stat);
const file = (path: string, text = ''): TarEntry =>
  entry(path, { type: 'leaf', content: { type: 'regular', file: { storage: 'inline', data: Buffer.from(text) } } });
const symlink = (path: string, target: string): TarEntry =>
  entry(path, { type: 'leaf', content: { type: 'symlink', target: target as ByteString } });
const hardlink = (path: string, target: string): TarEntry =>
  entry(path, { type: 'hardlink', target: makeAbsolute(target as ByteString) });

function apply(...entries: TarEntry[]): Directory {
  const root = new Directory(UNINITIALIZED_STAT);
  for (const each of entries) processEntry(root, each);
  return root;
}

function paths(root: Directory): string[] {
  return [...writeDumpfile(root)].map((line) => line.split(' ')[0] ?? '');
}

/** `d:` a directory, `f:` an empty file. */
function parse(text: string): TarEntry[] {
  return text.split(' ').map((word) => (word.startsWith('d:') ? directory(word.slice(2)) : file(word.slice(2))));
}

describe('whiteouts', () => {
  const cases: [entries: string, remaining: string][] = [
    ['d:/a d:b d:c f:/a/b f:/a/c f:/b/a f:/b/c f:/c/a f:/c/c f:.wh.a f:/b/.wh..wh..opq f:/c/.wh.c', '/ /b /c /c/a'],
    ['d:/etc f:/etc/hosts f:/etc/passwd f:/etc/.wh.hosts', '/ /etc /etc/passwd'],
    ['d:/etc f:/etc/hosts f:/etc/.wh.nosuchfile', '/ /etc /etc/hosts'],
    ['d:/usr d:/usr/local f:/usr/local/bin d:/etc f:/usr/.wh.local', '/ /etc /usr'],
    ['d:/mydir f:/toplevel f:/.wh.toplevel f:.wh.mydir', '/'],
    ['d:/etc f:/etc/old f:/etc/.wh..wh..opq f:/etc/new', '/ /etc /etc/new'],
    ['d:/d f:/d/real f:/d/.wh..wh. f:/d/.wh.', '/ /d /d/real'],
    ['d:/etc f:/etc/config f:/etc/.wh.config f:/etc/config', '/ /etc /etc/config'],
    ['d:/parent d:/parent/child f:/parent/child/deep f:/parent/sibling f:/parent/.wh..wh..opq', '/ /parent'],
    ['d:/a d:/a/.wh.b d:/a/b', '/ /a /a/b'],
    ['d:/a f:/a/b d:/a/.wh.b', '/ /a'],
    ['f:/a f:/.wh..wh.plnk f:/.wh..wh.aufs', '/ /a'],
    // As umoci writes them, when a file has replaced a directory or a directory went with its content.
    ['d:/d f:/d/x f:/d f:/d/.wh.x', '/ /d'],
    ['d:/d f:/none/.wh.x f:/none/.wh..wh..opq', '/ /d'],
  ];
  for (const [entries, remaining] of cases) {
    test(entries, () => assert.deepEqual(paths(apply(...parse(entries))), remaining.split(' ')));
  }

  test('keep the metadata of a directory that becomes opaque', () => {
    const root = apply(directory('/d', { ...STAT, mode: 0o700 }), file('/d/x'), file('/d/.wh..wh..opq'));
    assert.equal(getDirectory(root, '/d' as ByteString).stat.mode, 0o700);
  });

  test('are removed by `.wh..wh.` only under the name `.wh.`, which nothing can have', () => {
    const root = apply(directory('/d'));
    getDirectory(root, '/d' as ByteString).insert('.wh.' as ByteString, new Leaf(STAT, { type: 'fifo' }));
    processEntry(root, file('/d/.wh..wh.'));
    assert.deepEqual(paths(root), ['/', '/d']);
  });

  test('of overlayfs are ordinary devices', () => {
    const device = entry('/w', { type: 'leaf', content: { type: 'character-device', rdev: 0 } });
    assert.deepEqual(paths(apply(file('/w'), device)), ['/', '/w']);
  });
});

describe('replacing', () => {
  test('a directory over a directory brings its metadata and keeps the entries', () => {
    const xattrs = new Map([['user.b' as ByteString, '' as ByteString]]);
    const root = apply(directory('/d'), file('/d/x'), directory('/d', { ...STAT, uid: 7, xattrs }));
    assert.deepEqual(paths(root), ['/', '/d', '/d/x']);
    assert.deepEqual(getDirectory(root, '/d' as ByteString).stat, { ...STAT, uid: 7, xattrs });
  });

  test('a file over a directory drops its subtree', () => {
    assert.deepEqual(paths(apply(directory('/d'), file('/d/x'), file('/d'))), ['/', '/d']);
  });

  test('a directory over a file or symlink is empty', () => {
    assert.deepEqual(paths(apply(file('/d'), directory('/d'), file('/d/x'))), ['/', '/d', '/d/x']);
    assert.deepEqual(paths(apply(symlink('/d', '/'), directory('/d'))), ['/', '/d']);
  });

  test('a symlink over a directory', () => {
    const root = apply(...parse('d:bin f:bin/sh'), symlink('bin', 'usr/bin'));
    assert.deepEqual(paths(root), ['/', '/bin']);
    assert.deepEqual(getLeaf(root, 'bin' as ByteString).content, { type: 'symlink', target: 'usr/bin' });
  });

  test('the later of two entries with one path wins', () => {
    const root = apply(file('/f', 'old'), file('//f/./', 'new'));
    assert.equal([...writeDumpfile(root)][1], '/f 3 100755 1 0 0 0 0.0 - new -\n');
  });
});

describe('hard links', () => {
  test('share the leaf, also across layers', () => {
    const root = apply(directory('usr'), file('usr/a'), hardlink('usr/b', '/usr/a'), hardlink('c', 'usr/b'));
    const leaf = getLeaf(root, 'c' as ByteString);
    assert.equal(getLeaf(getDirectory(root, 'usr' as ByteString), 'a' as ByteString), leaf);
    assert.equal(getLeaf(getDirectory(root, 'usr' as ByteString), 'b' as ByteString), leaf);
  });

  test('keep the leaf they found when its other name is replaced or removed', () => {
    const root = apply(
      file('/a', 'old'),
      hardlink('/b', '/a'),
      file('/a', 'new'),
      hardlink('/c', '/b'),
      file('/.wh.a'),
    );
    assert.deepEqual([...writeDumpfile(root)].slice(1), [
      '/b 3 100755 2 0 0 0 0.0 - old -\n',
      '/c 0 @120000 - - - - 0.0 /b - -\n',
    ]);
  });

  test('to symlinks link the symlink', () => {
    const root = apply(symlink('/a', 'nowhere'), hardlink('/b', '/a'));
    assert.equal(getLeaf(root, 'b' as ByteString).content.type, 'symlink');
  });

  for (const [target, kind, message] of [
    ['/none', 'not-found', 'Directory entry "none" does not exist'],
    ['/none/x', 'not-found', 'Directory entry "/none" does not exist'],
    ['/d', 'is-a-directory', 'Directory entry "d" is a directory'],
    ['/f/x', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
    ['/d/../f', 'invalid-filename', 'Invalid filename "/d/.."'],
    ['', 'invalid-filename', 'Invalid filename ""'],
    ['/d/..', 'invalid-filename', 'Invalid filename "/d/.."'],
  ] as const) {
    test(`to ${JSON.stringify(target)}: ${kind}`, () => {
      for (const name of ['/h', '/.wh.h']) {
        assert.throws(
          () => apply(directory('/d'), file('/f'), hardlink(name, target)),
          (error: unknown) => {
            assert.deepEqual(errorChain(error), ['Processing tar entry', message]);
            assert.equal(findCause(error, ImageError)?.kind, kind);
            return true;
          },
        );
      }
    });
  }
});

describe('the root', () => {
  test('takes the metadata of its entry', () => {
    for (const path of ['', '/', './', '/.', '//', 'x/..']) {
      assert.equal(apply(directory(path, { ...STAT, mode: 0o711 })).stat.mode, 0o711, path);
    }
  });

  test('is a directory', () => {
    for (const [path, shown] of [
      ['/', ''],
      ['./', '/.'],
      ['a/..', '/a/..'],
    ] as const) {
      assert.throws(
        () => apply(file(path)),
        (error) =>
          fullMessage(error) ===
          `Processing tar entry: Unpacking layer tar: filename ${JSON.stringify(shown)} must be a directory`,
      );
    }
  });
});

describe('paths that lead nowhere are refused', () => {
  for (const [path, kind, message] of [
    ['/none/x', 'not-found', 'Directory entry "none" does not exist'],
    ['/f/x', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
    ['/link/x', 'not-a-directory', 'Directory entry "link" is not a subdirectory'],
    ['../x', 'invalid-filename', 'Invalid filename "/.."'],
    ['/d/../x', 'invalid-filename', 'Invalid filename "/d/.."'],
    ['/d/../../../etc/passwd', 'invalid-filename', 'Invalid filename "/d/../../../etc"'],
    ['/d/a\0b', 'invalid-filename', 'Invalid filename "/d/a\\u0000b"'],
  ] as const) {
    test(JSON.stringify(path), () => {
      const root = apply(directory('/d'), file('/f'), symlink('/link', '/d'));
      const before = [...writeDumpfile(root)];
      assert.throws(
        () => processEntry(root, file(path)),
        (error: unknown) => {
          const shown = JSON.stringify(makeAbsolute(path as ByteString));
          const context = `Error unpacking container layer file ${shown} regular`;
          assert.deepEqual(errorChain(error), ['Processing tar entry', context, message]);
          assert.equal(findCause(error, ImageError)?.kind, kind);
          return true;
        },
      );
      assert.deepEqual([...writeDumpfile(root)], before);
    });
  }
});

test('entries after one another give the tree that they give one by one, whatever their paths', () => {
  const component = fc.constantFrom('a', 'b', 'c', '', '.', '..', '.wh.a', '.wh.b', '.wh..wh..opq', 'a\0');
  const path = fc.array(component, { maxLength: 4 }).map((parts) => `/${parts.join('/')}` as ByteString);
  const item = fc.oneof(
    { weight: 3, arbitrary: fc.constant<TarItem>({ type: 'directory' }) },
    fc.constant<TarItem>({ type: 'leaf', content: { type: 'fifo' } }),
    path.map((target): TarItem => ({ type: 'hardlink', target })),
  );
  const entries = fc.array(fc.record({ path, item, stat: fc.constant(STAT) }), { maxLength: 40 });
  fc.assert(
    fc.property(entries, (all) => {
      const roots = [new Directory(UNINITIALIZED_STAT), new Directory(UNINITIALIZED_STAT)] as const;
      const applier = new LayerApplier(roots[0]);
      for (const each of all) {
        const [one, other] = [() => applier.apply(each), () => processEntry(roots[1], each)].map(messageOf);
        assert.equal(one, other);
      }
      assert.deepEqual([...writeDumpfile(roots[0])], [...writeDumpfile(roots[1])]);
    }),
    { numRuns: 1000 },
  );
});

function messageOf(action: () => void): string {
  try {
    action();
    return '';
  } catch (error) {
    return fullMessage(error);
  }
}

test('five layers give the tree of the specification', () => {
  const root = new Directory(UNINITIALIZED_STAT);
  for (const layer of baseImageLayers()) {
    for (const each of entriesOf(layer.tar)) processEntry(root, each);
  }
  transformForOci(root);
  assert.equal([...writeDumpfile(root)].join(''), BASE_IMAGE_DUMP);
});

test('xattrs of layers are filtered by the transformation', () => {
  const label: [string, string] = ['SCHILY.xattr.security.selinux', 'system_u'];
  const tar = tarArchive([
    paxHeader([label]),
    tarDirectory('usr'),
    paxHeader([label, ['SCHILY.xattr.security.capability', 'cap'], ['SCHILY.xattr.user.testattr', 'v']]),
    tarFile('usr/foo', ''),
  ]);
  for (const [xattrs, expected] of [
    ['allowlist-only', ' security.capability=cap'],
    ['keep-user-xattrs', ' security.capability=cap user.testattr=v'],
  ] as const) {
    const root = apply(...entriesOf(tar));
    transformForOci(root, { xattrs });
    const lines = [...writeDumpfile(root)];
    assert.deepEqual(lines, [
      '/ 0 40755 3 0 0 0 0.0 - - -\n',
      '/usr 0 40755 2 0 0 0 0.0 - - -\n',
      `/usr/foo 0 100644 1 0 0 0 0.0 - - -${expected}\n`,
    ]);
  }
});

test('arbitrary entries never fail but with the contexts of the specification', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', '.wh.a', '.wh..wh..opq', '.wh.', '..', '.', '', 'c\0'), { maxLength: 5 })
    .map((parts) => parts.join('/'));
  const arbitrary = fc.oneof(
    path.map((each) => directory(each)),
    path.map((each) => file(each)),
    fc.tuple(path, path).map(([a, b]) => hardlink(a, b)),
    path.map((each) => symlink(each, 'a')),
  );
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 40 }), (entries) => {
      const root = new Directory(UNINITIALIZED_STAT);
      for (const each of entries) {
        try {
          processEntry(root, each);
        } catch (error) {
          assert.equal(errorChain(error)[0], 'Processing tar entry');
        }
      }
      for (const each of paths(root)) assert.doesNotMatch(each, /\/\.wh\.|\/\.\.?(\/|$)|\\x00/);
    }),
    { numRuns: 500 },
  );
});
