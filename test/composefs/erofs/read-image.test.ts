import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  directoryEntries,
  ErofsImage,
  ErofsReaderError,
  type ErofsReaderErrorKind,
  readErofsTree,
} from '../../../src/composefs/erofs/index.js';
import {
  childNid,
  directory,
  image,
  inline,
  inodeAt,
  leaf,
  name,
  ROOT,
  simpleTree,
  stat,
  write,
  xattrs,
} from './support.js';

function assertKind(kind: ErofsReaderErrorKind, message: string | RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ErofsReaderError, String(error));
    assert.deepEqual([error.code, error.kind], ['INVALID_IMAGE', kind]);
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}

function patched(data: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(data);
  change(copy);
  return copy;
}

const EMPTY = write(directory(), 2);

test('an image must have a size that holds its superblock and does not exceed the maximum', () => {
  const open = (size: number, maxSize?: number) => () =>
    ErofsImage.open(EMPTY.subarray(0, size), maxSize === undefined ? {} : { maxSize });
  assertKind('invalid-image', 'Invalid image: image size 4096 exceeds maximum 4095', open(4096, 4095));
  assertKind('invalid-image', 'Invalid image: cannot parse header', open(31));
  assertKind('invalid-image', 'Invalid image: image too small for superblock', open(1023));
  assertKind('invalid-image', 'Invalid image: cannot parse superblock', open(1151));
  open(1152)();
  open(4096, 4096)();
});

test('blocks must be addressable and the regions inside the image', () => {
  const open = (change: (copy: Buffer) => void) => () => ErofsImage.open(patched(EMPTY, change));
  assertKind(
    'invalid-image',
    'Invalid image: blkszbits 64 >= platform word size 64',
    open((copy) => copy.writeUInt8(64, 1036)),
  );
  assertKind(
    'out-of-bounds',
    'Offset out of bounds',
    open((copy) => copy.writeUInt32LE(2, 1064)),
  );
  assertKind(
    'out-of-bounds',
    'Offset out of bounds',
    open((copy) => copy.writeUInt32LE(2, 1068)),
  );
  open((copy) => copy.writeUInt32LE(1, 1064))();
  open((copy) => copy.writeUInt32LE(1, 1068))();
  open((copy) => copy.writeUInt8(63, 1036))();
});

const RESTRICTIONS: readonly [change: (copy: Buffer) => void, reason: string][] = [
  [(copy) => copy.writeUInt32LE(0x12345678, 0), 'bad composefs magic: expected 0xd078629a, got 0x12345678'],
  [(copy) => copy.writeUInt32LE(2, 4), 'bad EROFS format version in composefs header: expected 1, got 2'],
  [(copy) => copy.writeUInt32LE(3, 12), 'unknown composefs_version 3 (expected 0, 1, or 2)'],
  [(copy) => copy.writeUInt32LE(1, 1024), 'bad EROFS magic: expected 0xe0f5e1e2, got 0x1'],
  [(copy) => copy.writeUInt8(9, 1036), 'composefs requires blkszbits=12, got 9'],
  [(copy) => copy.writeUInt32LE(0x100, 1032), 'unsupported feature_compat flags: 0x100'],
  [(copy) => copy.writeUInt32LE(1, 1104), 'unsupported feature_incompat flags: 0x1'],
  [(copy) => copy.writeUInt32LE(8, 1104), 'unsupported feature_incompat flags: 0x8'],
  [(copy) => copy.writeUInt32LE(0x20, 1104), 'unsupported feature_incompat flags: 0x20'],
  [(copy) => copy.writeUInt32LE(0x80000000, 1104), 'unsupported feature_incompat flags: 0x80000000'],
  [(copy) => copy.writeUInt16LE(1, 1108), 'composefs does not support compression'],
  [(copy) => copy.writeUInt16LE(1, 1110), 'composefs does not support multi-device (extra_devices=1)'],
  [(copy) => copy.writeUInt8(1, 1037), 'composefs does not support extslots (extslots=1)'],
  [(copy) => copy.writeBigUInt64LE(1n, 1120), 'composefs does not support packed inodes (packed_nid=1)'],
  [(copy) => copy.writeUInt32LE(1, 1064), 'composefs requires meta_blkaddr=0, got 1'],
  [(copy) => copy.writeUInt8(1, 1115), 'composefs does not support custom xattr prefixes (count=1)'],
];

for (const [change, reason] of RESTRICTIONS) {
  test(`composefs images only: ${reason}`, () => {
    const data = patched(EMPTY, change);
    assertKind('invalid-image', `Invalid image: ${reason}`, () => ErofsImage.open(data).restrictToComposefs());
    assertKind('invalid-image', `Invalid image: ${reason}`, () => readErofsTree(data, 'sha256'));
  });
}

test('known features and what nobody checks are accepted', () => {
  const data = patched(EMPTY, (copy) => {
    copy.writeUInt32LE(7, 1032);
    copy.writeUInt32LE(4, 1104);
    copy.writeUInt32LE(0xffffffff, 8);
    copy.fill(0xff, 16, 32);
    copy.fill(0xff, 1024 + 48, 1024 + 80);
    copy.writeUInt32LE(77, 1024 + 36);
  });
  readErofsTree(data, 'sha256');
});

test('an inode must lie inside the image with all that belongs to it', () => {
  const erofs = ErofsImage.open(EMPTY);
  assert.equal(erofs.root().nid, 36);
  for (const nid of [128, 129, 2 ** 40, 2 ** 60])
    assertKind('invalid-inode', `Invalid inode: ${BigInt(nid)}`, () => erofs.inode(nid));
  const last = patched(EMPTY, (copy) => copy.writeUInt16LE(1, 4096 - 32));
  assertKind('invalid-inode', 'Invalid inode: 127', () => ErofsImage.open(last).inode(127));
  const layout = patched(EMPTY, (copy) => copy.writeUInt16LE(6, 1152));
  assertKind('invalid-image', 'Invalid image: invalid data layout in inode format', () =>
    ErofsImage.open(layout).root(),
  );
  const xattrArea = patched(EMPTY, (copy) => copy.writeUInt16LE(0xffff, 1154));
  assertKind('invalid-inode', 'Invalid inode: 36', () => ErofsImage.open(xattrArea).root());
  const tail = patched(EMPTY, (copy) => copy.writeBigUInt64LE(4095n, 1160));
  assertKind('invalid-inode', 'Invalid inode: 36', () => ErofsImage.open(tail).root());
});

test('the fields of an inode are read in both forms', () => {
  const fields = { uid: 70000, gid: 3, mtimeSec: -7, mtimeNsec: 8 };
  const data = write(
    directory({
      c: leaf({ type: 'block-device', rdev: 0x1234 }, stat(0o640)),
      e: leaf(inline('abc'), stat(0o4755, fields)),
    }),
    1,
  );
  const compact = inodeAt(data, '/c');
  assert.deepEqual(
    [
      compact.isExtended,
      compact.mode,
      compact.uid,
      compact.gid,
      compact.nlink,
      compact.u,
      compact.size,
      compact.mtimeSec,
      compact.isWhiteout,
    ],
    [false, 0o060640, 0, 0, 1, 0x1234, 0, 0, false],
  );
  const extended = inodeAt(data, '/e');
  assert.deepEqual(
    [
      extended.isExtended,
      extended.mode,
      extended.uid,
      extended.gid,
      extended.mtimeSec,
      extended.mtimeNsec,
      extended.size,
    ],
    [true, 0o104755, 70000, 3, -7, 8, 3],
  );
  assert.equal(extended.inline()?.toString(), 'abc');
  assert.equal(compact.inline(), undefined);
  assert.ok(extended.ino > 0);
});

test('xattrs must lie inside their area, shared ones inside the image', () => {
  const data = write(directory({}, stat(0o755, { xattrs: xattrs({ 'user.a': '1', 'user.b': '2' }) })), 2);
  const area = 1152 + 64;
  const root = (change: (copy: Buffer) => void) => ErofsImage.open(patched(data, change)).root();
  assertKind('out-of-bounds', 'Offset out of bounds', () =>
    root((copy) => copy.writeUInt8(255, area + 4)).sharedXattrIds(),
  );
  assertKind('out-of-bounds', 'Offset out of bounds', () => [
    ...root((copy) => copy.writeUInt8(255, area + 4)).localXattrs(),
  ]);
  assertKind('out-of-bounds', 'Offset out of bounds', () => [
    ...root((copy) => copy.writeUInt16LE(100, area + 14)).localXattrs(),
  ]);
  const good = root(() => undefined);
  assert.deepEqual(
    [...good.localXattrs()].map((xattr) => [xattr.index, xattr.suffix, xattr.value.toString(), xattr.padding.length]),
    [
      [1, 'a', '1', 2],
      [1, 'b', '2', 2],
    ],
  );
  const unknown = root((copy) => copy.writeUInt8(7, area + 13));
  assertKind('invalid-image', 'Invalid image: xattr name_index 7 out of range', () =>
    [...unknown.localXattrs()].map((xattr) => xattr.name),
  );
  const erofs = ErofsImage.open(data);
  assertKind('out-of-bounds', 'Offset out of bounds', () => erofs.sharedXattr(1024));
  assertKind('out-of-bounds', 'Offset out of bounds', () => erofs.sharedXattr(0xffffffff));
});

test('blocks and slices must lie inside the image', () => {
  const erofs = ErofsImage.open(EMPTY);
  assert.equal(erofs.block(0).length, 4096);
  assertKind('out-of-bounds', 'Offset out of bounds', () => erofs.block(1));
  assertKind('out-of-bounds', 'Offset out of bounds', () => erofs.slice(0, 4097));
  assertKind('out-of-bounds', 'Offset out of bounds', () => erofs.slice(-1, 1));
  assertKind('out-of-bounds', 'Offset out of bounds', () => erofs.slice(2 ** 53, 1));
  assert.equal(erofs.slice(4096, 0).length, 0);
});

test('the blocks of an inode must lie inside the image', () => {
  const data = write(directory(), 1);
  const size = (value: bigint): Buffer =>
    patched(data, (copy) => copy.writeUInt32LE(Number(value & 0xffffffffn), 1160));
  const huge = size(4096n * 10n ** 9n);
  assertKind('invalid-image', /^Invalid image: inode block range 3\.\.\d+ exceeds image \(4 blocks\)$/, () =>
    ErofsImage.open(huge).inodeBlocks(ErofsImage.open(huge).root()),
  );
  assertKind('invalid-image', /^Invalid image: inode size \d+ exceeds image size 16384$/, () => {
    const erofs = ErofsImage.open(huge).restrictToComposefs();
    erofs.inodeBlocks(erofs.root());
  });
  const twoBlocks = size(8192n);
  assertKind('invalid-image', 'Invalid image: inode block range 3..5 exceeds image (4 blocks)', () =>
    ErofsImage.open(twoBlocks).inodeBlocks(ErofsImage.open(twoBlocks).root()),
  );
  const erofs = ErofsImage.open(data);
  assert.deepEqual(erofs.inodeBlocks(erofs.root()), { start: 3, end: 4 });
});

test('the size of a chunk-based inode is not limited by the image', () => {
  const root = directory({ big: leaf({ type: 'regular', file: { storage: 'sparse', size: 1e9 } }) });
  const data = write(root, 2);
  const erofs = ErofsImage.open(data).restrictToComposefs();
  assert.deepEqual(erofs.inodeBlocks(inodeAt(data, '/big')), { start: 0, end: 0 });
});

test('directory entries are checked one by one', () => {
  const block = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
  const names = (data: Buffer): string[] => [...directoryEntries(data)].map((entry) => entry.name);
  const two = block('0100000000000000 1800 02 00  0200000000000000 1900 01 00  61 6262');
  assert.deepEqual(
    [...directoryEntries(two)],
    [
      { name: 'a', nid: 1, fileType: 2 },
      { name: 'bb', nid: 2, fileType: 1 },
    ],
  );
  assert.deepEqual(
    names(Buffer.concat([two, Buffer.alloc(4), Buffer.from('z')])),
    ['a', 'bb'],
    'the last name ends at NUL',
  );
  assertKind('out-of-bounds', 'Offset out of bounds', () => names(block('00 00')));
  for (const offset of ['0000', '0100', '0d00']) {
    assertKind('invalid-image', 'Invalid image: invalid directory entry name_offset', () =>
      names(block(`0100000000000000 ${offset} 02 00 61`)),
    );
  }
  assertKind('out-of-bounds', 'Offset out of bounds', () => names(block('0100000000000000 1800 02 00 61')));
  assertKind('out-of-bounds', 'Offset out of bounds', () =>
    names(block('0100000000000000 1800 02 00  0200000000000000 1700 01 00 61')),
  );
  assertKind('out-of-bounds', 'Offset out of bounds', () =>
    names(block('0100000000000000 1800 02 00  0200000000000000 ff00 01 00 61')),
  );
  const iterator = directoryEntries(block('0100000000000000 1800 02 00  0200000000000000 ff00 01 00 61'));
  assertKind('out-of-bounds', 'Offset out of bounds', () => iterator.next());
  assert.equal(iterator.next().done, true, 'iteration stops at the first error');
});

test('a child is found in blocks and inline, or not', () => {
  const files = Array.from(
    { length: 100 },
    (_, n) => `/some-long-name-${String(n).padStart(20, '0')} 0 100644 1 0 0 0 0.0 - - -`,
  );
  for (const version of [1, 2] as const) {
    const data = image(version, ROOT, ...files);
    for (const line of files) assert.ok(inodeAt(data, line.slice(0, line.indexOf(' '))).isRegular);
    const erofs = ErofsImage.open(data);
    assert.equal(childNid(erofs, erofs.root(), name('absent')), undefined);
  }
});

test('directories of every shape give back exactly their entries', () => {
  for (const count of [0, 1, 30, 100, 400]) {
    const entries = Object.fromEntries(Array.from({ length: count }, (_, n) => [`name-${n}`, leaf(inline(''))]));
    const data = write(directory({ d: directory(entries) }), 2);
    const erofs = ErofsImage.open(data);
    const names = [...erofs.directoryParts(inodeAt(data, '/d'))].flatMap((part) =>
      [...directoryEntries(part)].map((entry) => entry.name),
    );
    assert.deepEqual(names, ['.', '..', ...Object.keys(entries)].sort());
  }
});

test('every inode type reads back from the tree "simple"', () => {
  const data = write(simpleTree(), 2);
  assert.deepEqual(
    ['blkdev', 'chrdev', 'fifo', 'regular-external', 'regular-inline', 'socket', 'symlink'].map(
      (file) => inodeAt(data, `/${file}`).nid,
    ),
    [44, 46, 48, 50, 57, 60, 62],
  );
});
