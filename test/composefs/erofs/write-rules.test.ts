import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type FormatVersion,
  InvalidTreeError,
  type InvalidTreeKind,
  readErofsTree,
  STUB_NAMES,
  validateTree,
} from '../../../src/composefs/erofs/index.js';
import { ErofsImage } from '../../../src/composefs/erofs/reader/image.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { type Inode, Leaf, type LeafContent } from '../../../src/composefs/tree/inode.js';
import { getDirectory } from '../../../src/composefs/tree/lookup.js';
import { OriginLeaf } from '../../../src/composefs/tree/origin-leaf.js';
import { DUMPFILES } from './image-vectors.js';
import {
  directory,
  inline,
  inodeAt,
  leaf,
  name,
  stat,
  storedXattrs,
  tree,
  WHITEOUT,
  write,
  xattrs,
} from './support.js';

const vector = (id: string, version: FormatVersion): Buffer => write(tree(...(DUMPFILES[id] ?? [])), version);
const offsets = (data: Buffer, ...paths: string[]): number[] => paths.map((path) => inodeAt(data, path).offset);

test('T02 in V2 has exactly the bytes of the worked example', () => {
  const expected = Buffer.alloc(4096);
  const put = (offset: number, hex: string): void => {
    Buffer.from(hex.replaceAll(' ', ''), 'hex').copy(expected, offset);
  };
  put(0x000, '9a 62 78 d0 01 00 00 00 00 00 00 00 02 00 00 00');
  put(0x400, 'e2 e1 f5 e0 00 00 00 00 06 00 00 00 0c 00 24 00 02');
  put(0x424, '01 00 00 00');
  put(0x480, '05 00 00 00 ed 41 00 00 28 00 00 00 00 00 00 00 00 00 00 00 24');
  put(0x4ac, '02');
  put(0x4c0, '24 00 00 00 00 00 00 00 24 00 02 00 24 00 00 00 00 00 00 00 25 00 02 00');
  put(0x4d8, '28 00 00 00 00 00 00 00 27 00 01 00 2e 2e 2e 66');
  put(0x500, '05 00 00 00 a4 81 00 00 02 00 00 00 00 00 00 00 00 00 00 00 28');
  put(0x52c, '01');
  put(0x540, '68 69');
  assert.ok(vector('T02', 2).equals(expected));
});

test('T02 in V1 is laid out as in the worked example; V0 differs in one byte', () => {
  const data = vector('T02', 1);
  const bytes = (offset: number, length: number): string => data.toString('hex', offset, offset + length);
  assert.equal(bytes(0x410, 24), '0201000000000000000000000000000000000000040000000000000002000000'.slice(0, 48));
  assert.equal(bytes(0x42c, 4), '02000000');
  assert.equal(
    bytes(0x480, 0x40),
    `${'00000600ed410200001000000000000003'.padEnd(64, '0')}ffffefff00000000000000000e0401006f7665726c61792e6f70617175657900`,
  );
  assert.equal(bytes(0x4c0, 0x18), '00000000a421010000000000000000000000000001000000');
  assert.equal(bytes(0x22c0, 0x22), `04000000a4810100020000000000000000000000f1${'0'.repeat(22)}6869`);
  assert.equal(bytes(0x3000, 0x1c), '2400000000000000240c02002400000000000000250c020026000000');
  assert.equal(data.toString('latin1', 0x3c24, 0x3c2d), '...000102');
  const v0 = vector('T02', 0);
  assert.equal(v0[12], 0);
  v0[12] = 1;
  assert.ok(v0.equals(data));
});

test('inodes lie where the worked examples say', () => {
  const t03 = inodeAt(vector('T03', 1), '/x');
  assert.deepEqual([t03.nid, t03.isExtended, t03.layout, t03.u, t03.size], [294, false, 8, 5, 70000]);
  assert.equal(t03.xattrFilter, 0x7ffdffff);
  assert.deepEqual(
    offsets(vector('T11', 1), '/l0', '/l1', '/l2', '/l3', '/l4'),
    [0x24c0, 0x28e0, 0x3000, 0x3420, 0x3840],
  );
  assert.deepEqual(offsets(vector('T11', 2), '/l0', '/l1', '/l2', '/l3', '/l4'), [0x540, 0x980, 0xfe0, 0x1420, 0x1860]);
  const t16 = inodeAt(vector('T16', 1), '/x');
  assert.deepEqual([t16.isExtended, t16.u], [true, 31]);
  const t18 = inodeAt(vector('T18', 1), '/bigfile');
  assert.deepEqual([t18.nid, t18.isExtended, t18.u, t18.size], [256, true, 31, 9_000_000_000_000_000]);
  assert.deepEqual(offsets(vector('T17', 1), '/f32'), [12256]);
  assert.equal(inodeAt(vector('E2', 1), '/link').nid, 384);
});

test('xattrs are shared, ordered and numbered as in the worked example', () => {
  const data = vector('T07', 1);
  assert.deepEqual(inodeAt(data, '/').sharedXattrIds(), [364]);
  assert.deepEqual(storedXattrs(data, '/'), ['security.selinux=L1', 'trusted.overlay.opaque=y']);
  assert.deepEqual(inodeAt(data, '/g').sharedXattrIds(), [360]);
  assert.deepEqual(storedXattrs(data, '/g'), ['security.selinux=L2', 'com.example.k=5', 'user.u=3']);
  assert.equal(inodeAt(data, '/g').xattrFilter, 0xfdfff7bf);
  assert.deepEqual(inodeAt(vector('T07', 2), '/g').sharedXattrIds(), [392]);
  assert.deepEqual(inodeAt(vector('T07', 2), '/').sharedXattrIds(), []);
});

test('whiteouts are escaped in V0 and V1, and mark their directory', () => {
  const markers = ['trusted.overlay.overlay.whiteouts=', 'user.overlay.whiteouts='];
  assert.deepEqual(storedXattrs(vector('T08', 1), '/d'), [
    'trusted.overlay.overlay.opaque=x',
    'trusted.overlay.overlay.whiteouts=',
    'user.overlay.opaque=x',
    'user.overlay.whiteouts=',
  ]);
  assert.deepEqual(storedXattrs(vector('T08', 0), '/d'), markers);
  const whiteout = inodeAt(vector('T08', 1), '/d/w');
  assert.deepEqual([whiteout.mode, whiteout.u], [0o100000, 0]);
  assert.equal(inodeAt(vector('T08', 2), '/d/w').isWhiteout, true);
  assert.deepEqual(storedXattrs(vector('T08', 2), '/d'), []);
});

test('overlay xattrs of the tree are escaped in every version', () => {
  for (const version of [0, 1, 2] as const) {
    assert.deepEqual(storedXattrs(vector('T13', version), '/f'), [
      'trusted.overlay.overlay.custom=1',
      'trusted.overlay.overlay.overlay.nested=2',
      'user.overlay.x=3',
    ]);
  }
});

test('only V0 and V1 say that there are ACLs', () => {
  assert.deepEqual(
    ([0, 1, 2] as const).map((version) => vector('T12', version).readUInt32LE(8)),
    [1, 1, 0],
  );
  assert.equal(vector('T13', 1).readUInt32LE(8), 0);
  const odd = directory({
    f: leaf(inline('x'), stat(0o644, { xattrs: xattrs({ 'system.posix_acl_accessfoo': '' }) })),
  });
  assert.equal(write(odd, 1).readUInt32LE(8), 1);
  assert.equal(write(odd, 1, { dialect: 'mkcomposefs' }).readUInt32LE(8), 0, 'C goes by the whole name');
});

test('the root has all 256 stubs, and keeps what has such a name', () => {
  const fields = { uid: 7, gid: 8, mtimeSec: 9, mtimeNsec: 10 };
  const root = directory(
    { '00': leaf(inline('mine')), ab: directory() },
    stat(0o700, { ...fields, xattrs: xattrs({ 'security.selinux': 'label', 'user.other': 'x' }) }),
  );
  const data = write(root, 1);
  assert.equal(ErofsImage.open(data).root().nlink, 3);
  assert.equal(inodeAt(data, '/00').isRegular, true);
  assert.equal(inodeAt(data, '/ab').isDirectory, true);
  for (const stub of STUB_NAMES.filter((text) => text !== '00' && text !== 'ab')) {
    const inode = inodeAt(data, `/${stub}`);
    assert.deepEqual([inode.isWhiteout, inode.mode, inode.uid, inode.gid], [true, 0o020644, 7, 8]);
    assert.deepEqual([inode.mtimeSec, inode.mtimeNsec, inode.nlink], [9, 10, 1]);
    assert.deepEqual(storedXattrs(data, `/${stub}`), ['security.selinux=label']);
  }
  assert.deepEqual([root.names(), root.size], [['00', 'ab'], 2]);
});

test('the build time is the least mtime, seconds before 1970 being the greatest, or the least as in C', () => {
  const fields = (mtimeSec: number, mtimeNsec = 0) => stat(0o644, { mtimeSec, mtimeNsec });
  const root = directory(
    { a: leaf(inline('x'), fields(-1, 5)), b: leaf(inline('x'), fields(1000, 7)) },
    stat(0o755, { mtimeSec: 1000, mtimeNsec: 6 }),
  );
  const built = (data: Buffer): [bigint, number] => [data.readBigInt64LE(1024 + 24), data.readUInt32LE(1024 + 32)];
  assert.deepEqual(built(write(root, 1)), [1000n, 6]);
  assert.deepEqual(built(write(root, 1, { dialect: 'mkcomposefs' })), [-1n, 5]);
  assert.deepEqual(built(write(root, 2)), [0n, 0]);
  assert.equal(inodeAt(write(root, 1), '/a').mtimeSec, -1);
  const negative = directory({}, stat(0o755, { mtimeSec: -5, mtimeNsec: 3 }));
  assert.deepEqual(built(write(negative, 1)), [-5n, 3]);
});

test('an inode is compact only if its values fit', () => {
  const isExtended = (content: LeafContent, fields: Parameters<typeof stat>[1]): boolean =>
    inodeAt(write(directory({ f: leaf(content, stat(0o644, fields)) }), 1), '/f').isExtended;
  const external = (size: number): LeafContent => ({ type: 'regular', file: { storage: 'sparse', size } });
  assert.deepEqual([isExtended(inline('x'), {}), isExtended(inline('x'), { uid: 65535, gid: 65535 })], [false, false]);
  assert.deepEqual([isExtended(inline('x'), { uid: 65536 }), isExtended(inline('x'), { gid: 65536 })], [true, true]);
  assert.deepEqual([isExtended(inline('x'), { mtimeSec: 1 }), isExtended(inline('x'), { mtimeNsec: 1 })], [true, true]);
  assert.deepEqual([isExtended(external(2 ** 32 - 1), {}), isExtended(external(2 ** 32), {})], [false, true]);
});

test('a leaf has as many links as entries, or as many as its dumpfile said', () => {
  const root = directory({ b: directory() });
  const declare = (nlink: number): void => {
    const shared = new OriginLeaf(stat(0o644), inline('x'), root, name('a'), nlink);
    root.insert(name('a'), shared);
    getDirectory(root, name('b')).insert(name('c'), shared);
  };
  declare(77);
  assert.equal(inodeAt(write(root, 1), '/b/c').nlink, 2);
  assert.equal(inodeAt(write(root, 1), '/').nlink, 3);
  assert.equal(inodeAt(write(root, 1, { dialect: 'mkcomposefs' }), '/b/c').nlink, 77);
  declare(65536);
  const many = inodeAt(write(root, 1, { dialect: 'mkcomposefs' }), '/a');
  assert.deepEqual([many.nlink, many.isExtended], [65536, true]);
});

test('an origin that is not in the tree any more does not lose the inode', () => {
  const root = directory();
  for (const [place, former] of [
    [root, 'gone'],
    [directory(), 'a'],
  ] as const) {
    const shared = new OriginLeaf(stat(0o644), inline('x'), place, name(former), 2);
    root.insert(name('a'), shared);
    root.insert(name('b'), directory({ c: shared }));
    const data = write(root, 1, { dialect: 'mkcomposefs' });
    assert.equal(inodeAt(data, '/a').nid, inodeAt(data, '/b/c').nid);
  }
});

test('C redirects are what the dumpfile said', () => {
  const id = parseObjectId('sha256', 'ab'.repeat(32));
  const redirects = (payload: string | undefined, isC: boolean): string[] => {
    const file = {
      storage: 'external',
      id,
      size: 100,
      ...(payload === undefined ? {} : { payload: name(payload) }),
    } as const;
    const data = write(directory({ f: leaf({ type: 'regular', file }) }), 1, isC ? { dialect: 'mkcomposefs' } : {});
    return storedXattrs(data, '/f').filter((text) => text.startsWith('trusted.overlay.redirect='));
  };
  const usual = [`trusted.overlay.redirect=/ab/${'ab'.repeat(31)}`];
  assert.deepEqual(redirects(undefined, true), usual);
  assert.deepEqual(redirects('some/other', false), usual);
  assert.deepEqual(redirects('some/other', true), ['trusted.overlay.redirect=/some/other']);
  assert.deepEqual(redirects('/abs', true), ['trusted.overlay.redirect=//abs']);
  assert.deepEqual(redirects('', true), []);
  assert.deepEqual(redirects(`ab/${'ab'.repeat(31)}`, true), usual);
});

test('equal redirects are shared, however the files say them', () => {
  const id = parseObjectId('sha256', 'ab'.repeat(32));
  const path = name(`ab/${'ab'.repeat(31)}`);
  const root = directory({
    a: leaf({ type: 'regular', file: { storage: 'external', id, size: 100 } }),
    b: leaf({ type: 'regular', file: { storage: 'external', id, size: 100, payload: path } }),
    c: leaf({ type: 'regular', file: { storage: 'external-no-verity', payload: path, size: 100 } }),
  });
  for (const options of [{}, { dialect: 'mkcomposefs' }] as const) {
    const data = write(root, 1, options);
    assert.deepEqual(
      ['/a', '/b', '/c'].map((file) => inodeAt(data, file).sharedXattrIds().length),
      [2, 2, 1],
    );
  }
});

test('a redirect of a file without a digest must be an object path, except in C', () => {
  const file = { storage: 'external-no-verity', payload: name('x.file'), size: 100 } as const;
  const root = directory({ f: leaf({ type: 'regular', file }) });
  assert.throws(() => write(root, 1), /invalid object pathname/);
  assert.deepEqual(storedXattrs(write(root, 1, { dialect: 'mkcomposefs' }), '/f'), [
    'trusted.overlay.metacopy=',
    'trusted.overlay.redirect=/x.file',
  ]);
});

function withXattrs(count: number): Directory {
  const pairs = Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`user.${String(n).padStart(3, '0')}`, 'v']),
  );
  const fields = { xattrs: xattrs(pairs) };
  return directory({ a: leaf(inline('x'), stat(0o644, fields)), b: leaf(inline('x'), stat(0o644, fields)) });
}

test('V0 and V1 share 128 xattrs of an inode, V2 up to 255', () => {
  for (const version of [0, 1] as const) {
    const data = write(withXattrs(130), version);
    assert.equal(inodeAt(data, '/a').sharedXattrIds().length, 128);
    assert.deepEqual(
      [...inodeAt(data, '/a').localXattrs()].map((xattr) => xattr.name),
      ['user.128', 'user.129'],
    );
    readErofsTree(data, 'sha256');
  }
  assert.equal(inodeAt(write(withXattrs(255), 2), '/a').sharedXattrIds().length, 255);
  assertInvalid('xattr', /256 shared xattrs/, () => write(withXattrs(256), 2));
  readErofsTree(write(withXattrs(300), 1), 'sha256');
});

test('a directory fills blocks greedily and keeps up to 2048 bytes inline', () => {
  const sizes = (data: Buffer, path: string): [number, number] => {
    const inode = inodeAt(data, path);
    return [inode.size, inode.layout];
  };
  assert.deepEqual(sizes(vector('E3', 2), '/bigdir'), [5218, 4]);
  assert.deepEqual(sizes(vector('E4', 2), '/bigdir'), [1927, 4]);
  assert.deepEqual(sizes(vector('E4', 1), '/'), [4096, 0]);
  assert.deepEqual(sizes(write(directory(), 2), '/'), [27, 4]);
});

test('inline content is cut into blocks and a tail of at most 2048 bytes', () => {
  const of = (size: number): [number, number, number] => {
    const content = Buffer.alloc(size, 'abcdefg');
    const data = write(directory({ f: leaf(inline(content)) }), 1);
    const inode = inodeAt(data, '/f');
    const { start, end } = ErofsImage.open(data).inodeBlocks(inode);
    const read = readErofsTree(data, 'sha256').lookup(name('f'));
    assert.ok(read instanceof Leaf && read.content.type === 'regular' && read.content.file.storage === 'inline');
    assert.ok(read.content.file.data.equals(content));
    return [inode.layout, end - start, inode.tailSize];
  };
  assert.deepEqual(of(0), [0, 0, 0]);
  assert.deepEqual(of(1), [4, 0, 1]);
  assert.deepEqual(of(2048), [4, 0, 2048]);
  assert.deepEqual(of(2049), [0, 1, 0]);
  assert.deepEqual(of(4096), [0, 1, 0]);
  assert.deepEqual(of(5000), [4, 1, 904]);
  assert.deepEqual(of(8193), [4, 2, 1]);
  assert.deepEqual(of(12287), [0, 3, 0]);
});

function assertInvalid(kind: InvalidTreeKind, message: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof InvalidTreeError);
    assert.deepEqual([error.code, error.kind], ['INVALID_TREE', kind]);
    assert.match(error.message, /^invalid composefs filesystem: /);
    assert.match(error.message, message);
    return true;
  });
}

test('trees that cannot be images are refused', () => {
  const check = (kind: InvalidTreeKind, message: RegExp, entry: string, inode: Inode): void => {
    assertInvalid(kind, message, () => validateTree(directory({ d: directory({ [entry]: inode }) })));
  };
  const whiteout = leaf(WHITEOUT);
  assertInvalid('linked-whiteout', /: whiteout inode has nlink > 1$/, () =>
    validateTree(directory({ a: whiteout, b: whiteout })),
  );
  const twice = directory();
  assertInvalid('linked-directory', /"\/b"/, () => validateTree(directory({ a: twice, b: twice })));
  const cycle = directory();
  cycle.insert(name('self'), cycle);
  assertInvalid('linked-directory', /"\/self"/, () => write(cycle, 1));

  for (const bad of ['', '.', '..', 'a/b', 'a\0b', 'n'.repeat(256)]) check('name', /: "\/d\//, bad, leaf(inline('')));
  validateTree(directory({ ['n'.repeat(255)]: leaf(inline('')) }));
  check('symlink-target', /0 bytes/, 'l', leaf({ type: 'symlink', target: name('') }));
  check('symlink-target', /4096 bytes/, 'l', leaf({ type: 'symlink', target: name('t'.repeat(4096)) }));
  check(
    'device-number',
    /device number exceeds EROFS u32 limit: 4294967296: "\/d\/c"/,
    'c',
    leaf({ type: 'character-device', rdev: 2 ** 32 }),
  );
  check('device-number', /u32/, 'b', leaf({ type: 'block-device', rdev: -1 }));
  check('file-size', /File too large/, 's', leaf({ type: 'regular', file: { storage: 'sparse', size: 2 ** 53 } }));
  check('stat', /owner/, 'f', leaf(inline(''), stat(0o644, { uid: 2 ** 32 })));
  check('stat', /mtime/, 'f', leaf(inline(''), stat(0o644, { mtimeNsec: 1_000_000_000 })));
  check('stat', /mtime/, 'f', leaf(inline(''), stat(0o644, { mtimeSec: 2 ** 53 })));
});

test('C writes linked whiteouts', () => {
  const whiteout = leaf(WHITEOUT);
  const data = write(directory({ a: whiteout, b: whiteout }), 1, { dialect: 'mkcomposefs' });
  assert.equal(inodeAt(data, '/a').nlink, 2);
});

test('xattrs beyond the limits of the format are refused', () => {
  const withXattr = (key: string, value: string) =>
    directory({ f: leaf(inline(''), stat(0o644, { xattrs: xattrs({ [key]: value }) })) });
  write(withXattr(`user.${'k'.repeat(255)}`, 'v'.repeat(65535)), 1);
  assertInvalid('xattr', /too long/, () => write(withXattr(`user.${'k'.repeat(256)}`, ''), 1));
  assertInvalid('xattr', /65536 bytes/, () => write(withXattr('user.a', 'v'.repeat(65536)), 2));
  assertInvalid('xattr', /empty name/, () => write(withXattr('', 'v'), 1));
  const huge = Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`user.${n}`, `${n}`.repeat(65000)]));
  assertInvalid('xattr', /need \d+ bytes/, () => write(directory({}, stat(0o755, { xattrs: xattrs(huge) })), 1));
});

test('V2 refuses inline content that could not be read back', () => {
  write(directory({ f: leaf(inline('x'.repeat(4095))) }), 2);
  assertInvalid('inline-size', /4096 bytes/, () => write(directory({ f: leaf(inline('x'.repeat(4096))) }), 2));
});

test('a digest of the wrong algorithm is refused', () => {
  const id = parseObjectId('sha512', 'ab'.repeat(64));
  assertInvalid('digest', /not a sha256 digest/, () =>
    write(directory({ f: leaf({ type: 'regular', file: { storage: 'external', id, size: 1 } }) }), 1),
  );
});

test('only the permission bits of a mode are stored', () => {
  const data = write(directory({ f: leaf(inline('x'), stat(0o107755)) }), 1);
  assert.equal(inodeAt(data, '/f').mode, 0o107755);
  assert.equal(inodeAt(write(directory({ f: leaf({ type: 'fifo' }, stat(0o100644)) }), 1), '/f').mode, 0o010644);
});

test('the name filter clears a bit for every name, shared ones too', () => {
  const inode = inodeAt(vector('T03', 1), '/x');
  assert.equal(inode.xattrFilter, ~((1 << 31) | (1 << 17)) >>> 0);
});

test('names around . and .. are in byte order', () => {
  const parts = [...ErofsImage.open(vector('T21', 2)).directoryParts(inodeAt(vector('T21', 2), '/d'))];
  const names = parts.flatMap((part) => [...part.toString('latin1').matchAll(/!-a\.\.-\.\.\.\.\.A/g)]);
  assert.equal(names.length, 1, '! -a . .- .. ... A, back to back');
});
