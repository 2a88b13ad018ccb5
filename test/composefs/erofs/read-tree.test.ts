import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { ErofsReaderError, type ErofsReaderErrorKind, readErofsTree } from '../../../src/composefs/erofs/index.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import { findCause, fullMessage } from '../../../src/errors.js';
import { linesOf } from '../../support/dumpfiles.js';
import {
  directory,
  image,
  inline,
  inodeAt,
  leaf,
  name,
  ROOT,
  stat,
  storedXattrs,
  tree,
  WHITEOUT,
  write,
  xattrs,
} from './support.js';

function dump(data: Buffer): string[] {
  return linesOf(readErofsTree(data, 'sha256'));
}

function assertRefused(data: Buffer, message: string | RegExp, kind: ErofsReaderErrorKind = 'invalid-image'): void {
  assert.throws(
    () => readErofsTree(data, 'sha256'),
    (error) => {
      assert.equal(findCause(error, ErofsReaderError)?.kind, kind, fullMessage(error));
      if (typeof message === 'string') assert.equal(fullMessage(error), message);
      else assert.match(fullMessage(error), message);
      return true;
    },
  );
}

const D = '/d 0 40755 2 0 0 0 0.0 - - -';
const ROOT3 = '/ 0 40755 3 0 0 0 0.0 - - -';

test('V2 loses nanoseconds, V0 and V1 keep them', () => {
  const lines = ['/ 0 40755 2 0 0 0 5.6 - - -', '/f 1 100644 1 0 0 0 7.8 - x -'];
  assert.deepEqual(dump(image(1, ...lines)), lines);
  assert.deepEqual(dump(image(0, ...lines)), lines);
  assert.deepEqual(
    dump(image(2, ...lines)),
    lines.map((line) => line.replace(/\.\d /, '.0 ')),
  );
});

test('xattrs of the tree come back under their names, those of overlayfs and the writer do not', () => {
  const set = {
    'trusted.overlay.custom': 'val',
    'trusted.overlay.overlay.x': 'y',
    'user.a': 'b',
    'security.selinux': 'l',
  };
  const lost = {
    'trusted.overlay.opaque': 'y',
    'user.overlay.opaque': 'y',
    'user.overlay.whiteouts': '',
    'trusted.overlay.whiteout': '',
  };
  for (const version of [0, 1, 2] as const) {
    const root = readErofsTree(
      write(directory({}, stat(0o755, { xattrs: xattrs({ ...set, ...lost }) })), version),
      'sha256',
    );
    const isEscaped = [...root.stat.xattrs].sort();
    assert.deepEqual(isEscaped, [...xattrs(set)].sort());
  }
});

test('whiteouts read back where they are, but stubs do not', () => {
  const root = directory({
    d: directory({ ab: leaf(WHITEOUT), w: leaf(WHITEOUT) }),
    w: leaf(WHITEOUT),
    ab: leaf(WHITEOUT),
    CD: leaf(WHITEOUT),
  });
  for (const version of [0, 1, 2] as const) {
    const read = readErofsTree(write(root, version), 'sha256');
    assert.deepEqual(read.names(), ['d', 'w']);
    const sub = read.lookup(name('d'));
    assert.ok(sub instanceof Directory);
    assert.deepEqual(sub.names(), ['ab', 'w']);
    for (const entry of sub.names()) {
      const found = sub.lookup(entry);
      assert.ok(found instanceof Leaf);
      assert.deepEqual(found.content, WHITEOUT);
    }
  }
});

test('hard links are one leaf', () => {
  const shared = leaf(inline('x'));
  for (const version of [0, 1, 2] as const) {
    const read = readErofsTree(write(directory({ a: shared, b: shared, c: leaf(inline('x')) }), version), 'sha256');
    assert.equal(read.lookup(name('a')), read.lookup(name('b')));
    assert.notEqual(read.lookup(name('a')), read.lookup(name('c')));
  }
});

for (const [what, header, message] of [
  ['.', 0, /^reading root directory: reading directory "d": Invalid '\.' entry in directory$/],
  ['..', 1, /^reading root directory: reading directory "d": Invalid '\.\.' entry in directory$/],
] as const) {
  test(`the entry ${what} must lead to the right directory`, () => {
    const data = image(2, ROOT3, D);
    const inode = inodeAt(data, '/d');
    data.writeUInt32LE(0xdead, inode.offset + 64 + 12 * header);
    assertRefused(data, message, header === 0 ? 'invalid-self-reference' : 'invalid-parent-reference');
  });
}

test('link counts must be right', () => {
  const leafLinks = image(2, ROOT, '/f 1 100644 1 0 0 0 0.0 - x -');
  const { nid, offset } = inodeAt(leafLinks, '/f');
  leafLinks.writeUInt32LE(5, offset + 44);
  assertRefused(
    leafLinks,
    `Invalid image: nlink mismatch for inode nid ${nid}: on-disk nlink is 5, but found 1 reference(s) in the directory tree`,
  );
  leafLinks.writeUInt32LE(0, offset + 44);
  assertRefused(leafLinks, /on-disk nlink is 0, but found 1 reference/);
  const directoryLinks = image(2, ROOT3, D);
  directoryLinks.writeUInt32LE(99, inodeAt(directoryLinks, '/d').offset + 44);
  assertRefused(
    directoryLinks,
    'reading root directory: reading directory "d": Invalid image: directory nlink mismatch: on-disk nlink is 99, expected 2 (2 + 0 subdirectories)',
  );
});

test('a name must not come twice', () => {
  const data = image(2, ROOT, '/aaa 0 10644 1 0 0 0 0.0 - - -', '/bbb 0 10644 1 0 0 0 0.0 - - -');
  data.write('aaa', data.indexOf('bbb'), 'latin1');
  assertRefused(data, 'reading root directory: Duplicate directory entry "aaa"', 'duplicate-entry');
  const dots = image(2, ROOT, '/! 0 10644 1 0 0 0 0.0 - - -');
  dots.write('.', dots.indexOf('!..'), 'latin1');
  assertRefused(dots, 'reading root directory: Duplicate directory entry "."', 'duplicate-entry');
});

test('a name must not be a path', () => {
  for (const bad of ['a/b', '/', 'a\0b']) {
    const data = image(
      2,
      ROOT,
      `/${'n'.repeat(bad.length)} 0 10644 1 0 0 0 0.0 - - -`,
      '/zz 0 10644 1 0 0 0 0.0 - - -',
    );
    data.write(bad, data.indexOf(`..${'n'.repeat(bad.length)}`) + 2, 'latin1');
    assertRefused(data, /invalid name .* in directory/);
  }
});

test('a whiteout has one link', () => {
  for (const version of [1, 2] as const) {
    const device = leaf({ type: 'character-device', rdev: 1 });
    const data = write(directory({ xx: device, yy: device }), version);
    const inode = inodeAt(data, '/xx');
    data.writeUInt32LE(0, inode.offset + 16);
    assertRefused(data, 'reading root directory: invalid composefs image: whiteout inode "xx" has nlink > 1');
  }
});

test('several entries for one directory are refused: they could make a tree of exponential size', () => {
  const data = image(2, '/ 0 40755 4 0 0 0 0.0 - - -', '/a 0 40755 2 0 0 0 0.0 - - -', '/b 0 40755 2 0 0 0 0.0 - - -');
  const [a, root] = [inodeAt(data, '/a'), inodeAt(data, '/')];
  data.writeUInt32LE(a.nid, root.offset + 64 + 12 * 3);
  assertRefused(data, 'reading root directory: Hardlinked directories detected', 'directory-hardlinks');
});

test('a directory cycle is refused', () => {
  const data = image(2, ROOT3, D);
  const root = inodeAt(data, '/');
  data.writeUInt32LE(root.nid, root.offset + 64 + 12 * 2);
  assertRefused(data, /Hardlinked directories detected/, 'directory-hardlinks');
});

test('the depth of directories is limited', () => {
  const nested = (depth: number): Directory => {
    const root = directory();
    let at = root;
    for (let i = 1; i < depth; i++) {
      const child = directory();
      at.insert(name('d'), child);
      at = child;
    }
    return root;
  };
  readErofsTree(write(nested(2048), 1), 'sha256');
  assertRefused(write(nested(2049), 1), /Maximum directory depth exceeded$/, 'depth-exceeded');
});

test('inodes that share their bytes are refused when they claim more than the image', () => {
  // 200 files of 4000 bytes, all over the same bytes.
  const files = Array.from({ length: 200 }, (_, n) => `/f${String(n).padStart(3, '0')} 1 100644 1 0 0 0 0.0 - x -`);
  const data = image(0, ROOT, ...files);
  for (const line of files) {
    const inode = inodeAt(data, line.slice(0, 5));
    data.writeUInt32LE(3000, inode.offset + 8);
  }
  assertRefused(data, /its parts overlap/);
});

test('the first redirect or metacopy that is well formed counts', () => {
  const id = 'ab'.repeat(32);
  const object = `/ab/${'ab'.repeat(31)}`;
  const file = leaf({ type: 'regular', file: { storage: 'external', id: parseObjectId('sha256', id), size: 77 } });
  const redirect = (path: string): unknown => {
    const data = write(directory({ f: file }), 2);
    const at = data.indexOf(object);
    data.write(path, at, 'latin1');
    // Without the metacopy: its name is changed.
    data.write('overlay.metacopX', data.indexOf('overlay.metacopy'), 'latin1');
    const found = readErofsTree(data, 'sha256').lookup(name('f'));
    assert.ok(found instanceof Leaf && found.content.type === 'regular');
    return found.content.file;
  };
  const noVerity = { storage: 'external-no-verity', payload: object.slice(1), size: 77 };
  assert.deepEqual(redirect(object), noVerity);
  assert.deepEqual(redirect(object.toUpperCase()), noVerity, 'either case of hex');
  assert.deepEqual(redirect(`/abX${'ab'.repeat(31)}`), { storage: 'sparse', size: 77 });
  assert.deepEqual(redirect(`/zz/${'ab'.repeat(31)}`), { storage: 'sparse', size: 77 });
});

test('a malformed metacopy is an error in a composefs image', () => {
  const file = leaf({
    type: 'regular',
    file: { storage: 'external', id: parseObjectId('sha256', 'ab'.repeat(32)), size: 77 },
  });
  const at = (data: Buffer): number => data.indexOf('overlay.metacopy') + 16;
  const data = write(directory({ f: file }), 2);
  data.writeUInt8(9, at(data));
  assertRefused(
    data,
    /invalid trusted\.overlay\.metacopy: version=9, len=36, flags=0, digest_algo=1 \(expected version=0, len=36, flags=0, digest_algo=1\)$/,
  );
  const short = write(directory({ f: file }), 2);
  short.writeUInt16LE(35, at(short) - 16 - 2);
  assertRefused(short, /malformed trusted\.overlay\.metacopy xattr: expected 36 bytes, got 35$/);
  assert.throws(
    () => readErofsTree(write(directory({ f: file }), 2), 'sha512'),
    (error) => /expected 68 bytes, got 36$/.test(fullMessage(error)),
  );
});

test('V2 images hold at most 512 bytes inline, and targets of 1024', () => {
  const big = directory({ f: leaf(inline('x'.repeat(513))) });
  readErofsTree(write(big, 1), 'sha256');
  assertRefused(write(big, 2), 'reading root directory: Invalid image: inline regular file "f" has size 513 (max 512)');
  readErofsTree(write(directory({ f: leaf(inline('x'.repeat(512))) }), 2), 'sha256');
  const long = directory({ l: leaf({ type: 'symlink', target: name('t'.repeat(1025)) }) });
  readErofsTree(write(long, 1), 'sha256');
  assertRefused(
    write(long, 2),
    'reading root directory: Invalid image: symlink target for "l" is 1025 bytes (max 1024)',
  );
});

test('an unknown file type is named', () => {
  const data = image(2, ROOT, '/f 1 100644 1 0 0 0 0.0 - x -');
  const { offset } = inodeAt(data, '/f');
  data.writeUInt16LE(0o170644, offset + 4);
  assertRefused(data, 'reading root directory: Invalid image: unknown file type 0o170000 for "f"');
});

test('sizes and times beyond 2^53 are refused, not rounded', () => {
  const sparse = image(2, ROOT, '/f 70000 100644 1 0 0 0 0.0 - - -');
  const { offset } = inodeAt(sparse, '/f');
  sparse.writeBigUInt64LE(2n ** 53n, offset + 8);
  assertRefused(sparse, /inode size 9007199254740992 is beyond the supported range/);
  const time = image(2, ROOT, '/f 70000 100644 1 0 0 0 0.0 - - -');
  time.writeBigInt64LE(-(2n ** 60n), offset + 32);
  assertRefused(time, /mtime -1152921504606846976 is beyond the supported range/);
});

test('a V2 file without a chunk address may end with the image', () => {
  // 1152 + 27 fifos and a root that fill the first block up to a sparse file of 64 bytes.
  for (let count = 0; count < 60; count++) {
    const fifos = Array.from({ length: count }, (_, n) => `/a${String(n).padStart(2, '0')} 0 10644 1 0 0 0 0.0 - - -`);
    const lines = [ROOT, ...fifos, '/z 70000 100644 1 0 0 0 0.0 - - -'];
    assert.deepEqual(dump(image(2, ...lines)), lines);
  }
});

test('the tree does not keep the image', () => {
  const data = image(1, ROOT, '/f 2 100644 1 0 0 0 0.0 - hi -');
  const read = readErofsTree(data, 'sha256');
  data.fill(0);
  assert.deepEqual([...writeDumpfile(read)].at(-1), '/f 2 100644 1 0 0 0 0.0 - hi -\n');
  assert.deepEqual(storedXattrs(image(1, ROOT), '/'), ['trusted.overlay.opaque=y']);
  assert.deepEqual(tree(ROOT).names(), []);
});
