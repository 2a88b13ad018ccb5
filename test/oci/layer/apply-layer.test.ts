import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { ImageError } from '../../../src/composefs/tree/image-error.js';
import { Directory, type Inode, Leaf } from '../../../src/composefs/tree/inode.js';
import { getDirectory, getLeaf } from '../../../src/composefs/tree/lookup.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { errorChain, findCause, fullMessage } from '../../../src/errors.js';
import { LayerApplier, processEntry } from '../../../src/oci/layer/apply-layer.js';
import { LayerDifferences } from '../../../src/oci/layer/layer-rules.js';
import type { TarEntry } from '../../../src/oci/layer/tar-entry.js';
import { transformForOci } from '../../../src/oci/tree/transform.js';
import { RecordingReporter } from '../../../src/progress.js';
import { BASE_IMAGE_DUMP, baseImageLayers } from '../../support/base-image.js';
import { oddLayers } from '../../support/odd-layers.js';
import { paxHeader, tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { applyLayers, directory, entry, file, hardlink, parse, paths, STAT } from './entries.js';
import { entriesOf } from './layer-support.js';
import { UmociModel } from './umoci-model.js';

function apply(...layers: TarEntry[][]): Directory {
  return applyLayers((root) => new LayerApplier(root), layers);
}

/** Layers of {@link parse}, separated by `|`, to the paths that remain. */
function pathsOf(layers: string): string {
  return paths(apply(...layers.split('|').map(parse)))
    .slice(1)
    .join(' ');
}

function check(cases: readonly (readonly [layers: string, remaining: string])[]): void {
  for (const [layers, remaining] of cases) test(layers, () => assert.equal(pathsOf(layers), remaining));
}

describe('whiteouts act on lower layers only, wherever they stand in theirs', () => {
  check([
    ['d:/a f:/a/b f:/c | f:/.wh.a f:/.wh.c', ''],
    ['d:/a f:/a/b | d:/a f:/a/c f:/.wh.a', '/a /a/c'],
    ['d:/a f:/a/b | f:/.wh.a f:/a/c', '/a /a/c'],
    ['d:/d f:/d/old f:/d/keep | d:/d f:/d/keep f:/d/.wh.keep', '/d /d/keep /d/old'],
    ['d:/d f:/d/old | d:/d f:/d/new f:/d/.wh..wh..opq', '/d /d/new'],
    ['d:/d f:/d/old | d:/d f:/d/-flag f:/d/.wh..wh..opq f:/d/zz', '/d /d/-flag /d/zz'],
    ['d:/d f:/d/old | f:/d/.wh..wh..opq f:/d/new', '/d /d/new'],
    // Deep below: what leads to an entry of the layer stays, what is beside it goes.
    ['d:/a d:/a/b f:/a/b/x f:/a/y | f:/a/b/z f:/.wh.a', '/a /a/b /a/b/z'],
    ['d:/a d:/a/b f:/a/b/x d:/a/c f:/a/c/x | f:/a/b/z f:/a/.wh..wh..opq', '/a /a/b /a/b/z'],
    ['d:/a d:/a/b f:/a/b/x | d:/a/b f:/a/.wh..wh..opq', '/a /a/b'],
    ['d:/a f:/a/x | f:/a/.wh..wh..opq f:/a/y | f:/a/z f:/.wh.a', '/a /a/z'],
    ['d:/a f:/a/x | f:/a/.wh..wh..opq f:/a/y f:/.wh.a', '/a /a/y'],
    // A hard link is an entry of its layer, its target is not.
    ['f:/a | h:/b>/a f:/.wh.a f:/.wh.b', '/b'],
    ['f:/a h:/b>/a | f:/a f:/.wh.a f:/.wh.b', '/a'],
    // What a layer replaces is its own.
    ['f:/a | d:/a f:/.wh.a', '/a'],
    ['d:/a f:/a/x | f:/a f:/.wh.a', '/a'],
    ['d:/a f:/a/x | f:/a d:/a f:/a/y f:/a/.wh..wh..opq', '/a /a/y'],
    // The root.
    ['f:/a d:/b | f:/c f:/.wh..wh..opq', '/c'],
    ['f:/a | f:/.wh..wh..opq', ''],
    // In the first layer there is nothing below.
    ['f:/a d:/d f:/d/x f:/.wh.a f:/d/.wh..wh..opq f:/.wh.d', '/a /d /d/x'],
  ]);
});

describe('whiteouts', () => {
  check([
    ['d:/etc f:/etc/hosts | f:/etc/.wh.nosuchfile', '/etc /etc/hosts'],
    ['d:/d f:/d/real | f:/d/.wh..wh. f:/d/.wh. f:/d/.wh.. f:/d/.wh...', '/d /d/real'],
    ['d:/a f:/a/b | d:/a/.wh.b', '/a'],
    ['f:/a f:/b | h:/.wh.a>/none l:/.wh.b>x', ''],
    // As umoci writes them, when a file has replaced a directory or a directory went with its content.
    ['d:/d f:/d/x | f:/d f:/d/.wh.x f:/d/.wh..wh..opq', '/d'],
    ['d:/d | f:/none/.wh.x f:/none/.wh..wh..opq', '/d'],
    // Through symlinks.
    ['d:/usr d:/usr/bin f:/usr/bin/x f:/usr/bin/y l:/bin>usr/bin | f:/bin/.wh.x', '/bin /usr /usr/bin /usr/bin/y'],
    ['d:/usr d:/usr/bin f:/usr/bin/x l:/bin>/usr/bin | f:/bin/.wh..wh..opq', '/bin /usr /usr/bin'],
    ['f:/f l:/l>f l:/dead>none | f:/l/.wh.x f:/dead/.wh.x f:/dead/.wh..wh..opq', '/dead /f /l'],
    ['d:/d f:/d/x | f:/d/e/../.wh.x', '/d'],
  ]);

  test('keep the metadata of a directory that becomes opaque', () => {
    const root = apply([directory('/d', { ...STAT, mode: 0o700 }), file('/d/x')], parse('f:/d/.wh..wh..opq'));
    assert.equal(getDirectory(root, '/d' as ByteString).stat.mode, 0o700);
  });

  test('of overlayfs are ordinary devices', () => {
    const device = entry('/w', { type: 'leaf', content: { type: 'character-device', rdev: 0 } });
    assert.deepEqual(paths(apply([file('/w')], [device])), ['/', '/w']);
  });
});

describe('parents', () => {
  check([
    [
      'f:/gnu/store/x/bin/bash h:/other/place/link>gnu/store/x/bin/bash',
      '/gnu /gnu/store /gnu/store/x /gnu/store/x/bin /gnu/store/x/bin/bash /other /other/place /other/place/link',
    ],
    ['d:/usr d:/usr/bin l:/bin>usr/bin | f:/bin/tool', '/bin /usr /usr/bin /usr/bin/tool'],
    ['d:/usr l:/bin>/usr/bin | f:/bin/tool', '/bin /usr /usr/bin /usr/bin/tool'],
    ['l:/a>b l:/b>/c/../d f:/a/x', '/a /b /d /d/x'],
    ['d:/d l:/d/up>../../.. f:/d/up/x', '/d /d/up /x'],
    ['d:/d l:/d/self>. f:/d/self/self/x', '/d /d/self /d/x'],
    ['l:/empty> f:/empty/x', '/empty /x'],
    ['d:/lib l:/l>lib f:/l/f h:/g>l/f', '/g /l /lib /lib/f'],
    ['d:/a/ f:/a/./b f:/a//c f:/a/../d f:../e f:/../../f f:/none/../g', '/a /a/b /a/c /d /e /f /g'],
    // By the text, as in Go: `..` is not the parent of what a link leads to.
    ['d:/usr d:/usr/bin l:/bin>usr/bin f:/bin/../x', '/bin /usr /usr/bin /x'],
    ['d:/a f:/x h:/a/y>a/b/../../x h:/z>../../x', '/a /a/y /x /z'],
    // The way to a parent leads through the entry itself, which changes it.
    ['d:/d d:/d/x d:/e l:/l>d/x/.. f:/l/a l:/l/x>/e/none f:/l/b', '/d /d/a /d/x /e /e/b /l'],
  ]);

  test('that are made are 0755, of root, at the epoch, until they have an entry', () => {
    const stat = { ...STAT, mode: 0o700, uid: 7, mtimeSec: 9 };
    const root = apply([file('/a/b/c')], [directory('/a', stat)]);
    assert.deepEqual([...writeDumpfile(root)].slice(1), [
      '/a 0 40700 3 7 0 0 9.0 - - -\n',
      '/a/b 0 40755 2 0 0 0 0.0 - - -\n',
      '/a/b/c 0 100755 1 0 0 0 0.0 - - -\n',
    ]);
  });

  test('that are made count', () => {
    const deep = (name: string): TarEntry => file(`/${name}${'/a'.repeat(200_000)}`);
    assert.throws(
      () => apply([deep('x'), deep('y'), deep('z')]),
      (error) => /^[^:]+: [^:]+: More than 500000 directories have no entries of their own$/.test(fullMessage(error)),
    );
  });
});

describe('replacing', () => {
  check([
    ['d:/d f:/d/x f:/d', '/d'],
    ['f:/d d:/d f:/d/x', '/d /d/x'],
    ['l:/d>/ d:/d', '/d'],
    ['d:bin f:bin/sh | l:bin>usr/bin', '/bin'],
    ['f:/f h:/f>/f', '/f'],
    ['d:/d f:/d/f h:/d>/d/f', '/d'],
  ]);

  test('a directory over a directory brings its metadata and keeps the entries', () => {
    const xattrs = new Map([['user.b' as ByteString, '' as ByteString]]);
    const root = apply(parse('d:/d f:/d/x'), [directory('/d', { ...STAT, uid: 7, xattrs })]);
    assert.deepEqual(paths(root), ['/', '/d', '/d/x']);
    assert.deepEqual(getDirectory(root, '/d' as ByteString).stat, { ...STAT, uid: 7, xattrs });
  });

  test('the later of two entries with one path wins', () => {
    const root = apply([file('/f', 'old'), file('//f/./', 'new')]);
    assert.equal([...writeDumpfile(root)][1], '/f 3 100755 1 0 0 0 0.0 - new -\n');
  });
});

describe('hard links', () => {
  test('share the leaf, also across layers', () => {
    const root = apply(parse('d:usr f:usr/a h:usr/b>/usr/a'), parse('h:c>usr/b'));
    const leaf = getLeaf(root, 'c' as ByteString);
    assert.equal(getLeaf(getDirectory(root, 'usr' as ByteString), 'a' as ByteString), leaf);
    assert.equal(getLeaf(getDirectory(root, 'usr' as ByteString), 'b' as ByteString), leaf);
  });

  test('keep the leaf they found when its other name is replaced or removed', () => {
    const root = apply(
      [file('/a', 'old'), hardlink('/b', '/a'), file('/a', 'new'), hardlink('/c', '/b')],
      [file('.wh.a')],
    );
    assert.deepEqual([...writeDumpfile(root)].slice(1), [
      '/b 3 100755 2 0 0 0 0.0 - old -\n',
      '/c 0 @120000 - - - - 0.0 /b - -\n',
    ]);
  });

  test('to symlinks link the symlink', () => {
    assert.equal(getLeaf(apply(parse('l:/a>nowhere h:/b>/a')), 'b' as ByteString).content.type, 'symlink');
  });

  for (const [target, kind, message] of [
    ['/none', 'not-found', 'Directory entry "none" does not exist'],
    ['/none/x', 'not-found', 'Directory entry "/none/x" does not exist'],
    ['/d', 'is-a-directory', 'Directory entry "d" is a directory'],
    ['/f/x', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
    ['/loop/x', 'too-many-links', 'Too many symbolic links, or too long ones, on the way to "/loop/"'],
    ['', 'is-a-directory', 'Directory entry "" is a directory'],
    ['/d/..', 'is-a-directory', 'Directory entry "/d/.." is a directory'],
    ['.wh..wh.plnk/1.2', 'not-found', 'Directory entry "/.wh..wh.plnk/1.2" does not exist'],
  ] as const) {
    test(`to ${JSON.stringify(target)}: ${kind}`, () => {
      assert.throws(
        () => apply([...parse('d:/d f:/f l:/loop>loop'), hardlink('/h', target)]),
        (error: unknown) => {
          const context = 'Error unpacking container layer file "/h" hardlink';
          assert.deepEqual(errorChain(error), ['Processing tar entry', context, message]);
          assert.equal(findCause(error, ImageError)?.kind, kind);
          return true;
        },
      );
    });
  }
});

describe('what AUFS left', () => {
  check([
    ['f:/a f:/.wh..wh.aufs d:/.wh..wh.orph f:/.wh..wh.orph/x d:.wh..wh.plnk/ h:/.wh..wh.plnk/2>/a', '/a'],
    ['d:/usr | f:/.wh..wh..opq f:/b', '/b'],
  ]);

  test('the files that its links lead to become files of their own, in their own layer', () => {
    const linked = { ...file('/.wh..wh.plnk/12.3', 'text'), stat: { ...STAT, mode: 0o640, mtimeSec: 5 } };
    const links = [hardlink('/a', '.wh..wh.plnk/12.3'), hardlink('/b', './.wh..wh.plnk/12.3')];
    assert.deepEqual([...writeDumpfile(apply([linked, ...links]))].slice(1), [
      '/a 4 100640 1 0 0 0 5.0 - text -\n',
      '/b 4 100640 1 0 0 0 5.0 - text -\n',
    ]);
    assert.throws(
      () => apply([linked], links),
      (error) => errorChain(error).at(-1) === 'Directory entry "/.wh..wh.plnk/12.3" does not exist',
    );
  });
});

describe('the root', () => {
  test('takes the metadata of its entry', () => {
    for (const path of ['', '/', './', '/.', '//', 'x/..', '..', '../..']) {
      assert.equal(apply([directory(path, { ...STAT, mode: 0o711 })]).stat.mode, 0o711, path);
    }
  });

  test('is a directory', () => {
    for (const [path, shown] of [
      ['/', ''],
      ['./', '/.'],
      ['a/..', '/a/..'],
    ] as const) {
      assert.throws(
        () => apply([file(path)]),
        (error) =>
          fullMessage(error) ===
          `Processing tar entry: Unpacking layer tar: filename ${JSON.stringify(shown)} must be a directory`,
      );
    }
  });
});

describe('paths that lead nowhere are refused', () => {
  for (const [path, kind, message] of [
    ['/f/x', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
    ['/f/x/y', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
    ['/tofile/x', 'not-a-directory', 'Directory entry "f" is not a subdirectory'],
    ['/loop/x', 'too-many-links', 'Too many symbolic links, or too long ones, on the way to "/loop/"'],
    ['/d/a\0b', 'invalid-filename', 'Invalid filename "/d/a\\u0000b"'],
    ['/nul/x', 'invalid-filename', 'Invalid filename "a\\u0000b"'],
  ] as const) {
    test(JSON.stringify(path), () => {
      const root = apply(parse('d:/d f:/f l:/tofile>d/../f l:/loop>d/../loop l:/nul>a\0b'));
      const before = [...writeDumpfile(root)];
      assert.throws(
        () => processEntry(root, file(path)),
        (error: unknown) => {
          const context = `Error unpacking container layer file ${JSON.stringify(path)} regular`;
          assert.deepEqual(errorChain(error), ['Processing tar entry', context, message]);
          assert.equal(findCause(error, ImageError)?.kind, kind);
          return true;
        },
      );
      assert.deepEqual([...writeDumpfile(root)], before);
    });
  }
});

test('what the reference would make another tree of in silence is said once, with layer and entry', () => {
  const messages = (...layers: string[]): string[] => {
    const differences = new LayerDifferences();
    applyLayers((root) => new LayerApplier(root, differences), layers.map(parse));
    const reporter = new RecordingReporter();
    differences.report(reporter);
    return reporter.events.map((event) => {
      assert(event.type === 'message');
      assert.equal(event.level, 'warning');
      return event.text;
    });
  };
  const whiteout =
    'the whiteout acts on the layers below it only; composefs-rs applies it to its own layer, too. ' +
    'The layer rules `reference` give the tree of composefs-rs';
  const dotted =
    'the entry is for the directory that it leads to; composefs-rs takes it for the root. ' +
    'The layer rules `reference` give the tree of composefs-rs';
  assert.deepEqual(messages('d:/d f:/d/a f:/x', 'f:/d/.wh.a f:/.wh.x f:/x f:/d/.wh..wh..opq d:/a/..', 'd:/d'), []);
  assert.deepEqual(messages('d:/d f:/d/a', 'f:/d/b f:/d/.wh..wh..opq'), [
    `Layer layer-1, entry "/d/.wh..wh..opq": ${whiteout}`,
  ]);
  assert.deepEqual(messages('f:/a f:/.wh.a', 'f:/b f:/.wh.b d:/d/e/..', 'f:/.wh..wh..opq f:/c f:/.wh..wh..opq'), [
    `Layer layer-0, entry "/.wh.a" (and 2 more): ${whiteout}`,
    `Layer layer-1, entry "/d/e/..": ${dotted}`,
  ]);
});

test('random layers give the tree that umoci makes, step by step', () => {
  let [applied, refused] = [0, 0];
  fc.assert(
    fc.property(oddLayers({ maxLayers: 5, maxEntries: 12, rich: false }), (layers) => {
      const root = new Directory(UNINITIALIZED_STAT);
      const applier = new LayerApplier(root);
      const model = new UmociModel();
      for (const [index, layer] of layers.entries()) {
        applier.startLayer(`layer-${index}`);
        model.startLayer();
        for (const each of layer) {
          const expected = model.apply(each);
          assert.equal(messageOf(() => applier.apply(each)) === '', expected, JSON.stringify(each));
          expected ? applied++ : refused++;
        }
        assert.deepEqual(describeTree(root), model.describe());
      }
    }),
    { numRuns: 2000 },
  );
  assert(applied > 10_000 && refused > 2000, `${applied} applied, ${refused} refused`);
});

/** As {@link UmociModel.describe}. */
function describeTree(root: Directory): string[] {
  const lines: string[] = [];
  const first = new Map<Inode, string>();
  const visit = (inode: Inode, path: string): void => {
    const same = first.get(inode) ?? path;
    first.set(inode, same);
    const meta = `${inode.stat.mode.toString(8)} ${inode.stat.mtimeSec}`;
    lines.push(`${path} ${inode instanceof Leaf ? contentOf(inode) : 'directory'} ${meta} ${same}`);
    if (inode instanceof Directory) for (const [name, child] of inode.entries()) visit(child, `${path}/${name}`);
  };
  for (const [name, child] of root.entries()) visit(child, `/${name}`);
  return lines;
}

function contentOf({ content }: Leaf): string {
  if (content.type === 'symlink') return `symlink ${content.target}`;
  return content.type === 'regular' && content.file.storage === 'inline'
    ? `regular ${content.file.data}`
    : content.type;
}

function messageOf(action: () => void): string {
  try {
    action();
    return '';
  } catch (error) {
    assert.equal(errorChain(error)[0], 'Processing tar entry');
    return fullMessage(error);
  }
}

test('five layers give the tree of the specification', () => {
  const root = apply(...baseImageLayers().map(({ tar }) => entriesOf(tar)));
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
    const root = apply(entriesOf(tar));
    transformForOci(root, { xattrs });
    const lines = [...writeDumpfile(root)];
    assert.deepEqual(lines, [
      '/ 0 40755 3 0 0 0 0.0 - - -\n',
      '/usr 0 40755 2 0 0 0 0.0 - - -\n',
      `/usr/foo 0 100644 1 0 0 0 0.0 - - -${expected}\n`,
    ]);
  }
});
