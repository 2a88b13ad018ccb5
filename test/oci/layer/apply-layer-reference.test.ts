import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { ImageError } from '../../../src/composefs/tree/image-error.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import { getDirectory, getLeaf } from '../../../src/composefs/tree/lookup.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { errorChain, findCause, fullMessage } from '../../../src/errors.js';
import { ReferenceLayerApplier } from '../../../src/oci/layer/apply-layer-reference.js';
import { makeAbsolute, type TarEntry } from '../../../src/oci/layer/tar-entry.js';
import { transformForOci } from '../../../src/oci/tree/transform.js';
import { BASE_IMAGE_DUMP, baseImageLayers } from '../../support/base-image.js';
import { applyLayers, directory, entry, file, hardlink, parse, paths, STAT, symlink } from './entries.js';
import { entriesOf } from './layer-support.js';

function apply(...entries: TarEntry[]): Directory {
  return applyLayers((root) => new ReferenceLayerApplier(root), [entries]);
}

describe('whiteouts act on their own layer, too', () => {
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
    new ReferenceLayerApplier(root).apply(file('/d/.wh..wh.'));
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
    ['/none/.wh.x', 'not-found', 'Directory entry "none" does not exist'],
    ['/f/.wh..wh..opq', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
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
        () => new ReferenceLayerApplier(root).apply(file(path)),
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

test('five layers give the tree of the specification', () => {
  const root = new Directory(UNINITIALIZED_STAT);
  const applier = new ReferenceLayerApplier(root);
  for (const layer of baseImageLayers()) {
    for (const each of entriesOf(layer.tar)) applier.apply(each);
  }
  transformForOci(root);
  assert.equal([...writeDumpfile(root)].join(''), BASE_IMAGE_DUMP);
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
      const applier = new ReferenceLayerApplier(root);
      for (const each of entries) {
        try {
          applier.apply(each);
        } catch (error) {
          assert.equal(errorChain(error)[0], 'Processing tar entry');
        }
      }
      for (const each of paths(root)) assert.doesNotMatch(each, /\/\.wh\.|\/\.\.?(\/|$)|\\x00/);
    }),
    { numRuns: 500 },
  );
});
