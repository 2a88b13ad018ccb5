import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectObjects, ErofsImage, ErofsReaderError, fsckMetadata } from '../../../src/composefs/erofs/index.js';
import { parseObjectId, trustedObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { DUMPFILES } from './image-vectors.js';
import {
  directory,
  image,
  inline,
  inodeAt,
  leaf,
  name,
  ROOT,
  simpleTree,
  stat,
  tree,
  WHITEOUT,
  write,
  xattrs,
} from './support.js';

function check(data: Buffer): void {
  fsckMetadata(ErofsImage.open(data));
}

function assertInvalid(message: string | RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ErofsReaderError);
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}

for (const id of Object.keys(DUMPFILES).filter((key) => key !== 'T19' && key !== 'T20')) {
  test(`the images of ${id} keep the rules of their versions`, () => {
    for (const version of [0, 1, 2] as const) check(write(tree(...(DUMPFILES[id] ?? [])), version));
  });
}

test('a symlink that crosses a block is found', () => {
  const { E2 = [] } = DUMPFILES;
  const data = write(tree(...E2), 1);
  const inode = inodeAt(data, '/link');
  const { nid } = inode;
  // As if the padding were not there: the inode 64 bytes earlier.
  data.copyWithin(inode.offset - 64, inode.offset, inode.offset + inode.extent);
  const entry = data.lastIndexOf(Buffer.from([nid & 0xff, nid >> 8, 0, 0, 0, 0, 0, 0]));
  data.writeUInt32LE(nid - 2, entry);
  assertInvalid(
    `Invalid image: inode at nid ${nid - 2} (FlatInline symlink, inode_pos_in_block=4032, inode_and_xattr_size=32, ` +
      'inline_size=1024) would trigger EUCLEAN on kernels older than 6.12: 4032 + 32 + 1024 = 5088 > 4096',
    () => check(data),
  );
});

test('V0 and V1 have their stubs, and no whiteout that is not escaped', () => {
  const asV1 = image(2, ROOT);
  asV1.writeUInt32LE(1, 12);
  assertInvalid('Invalid image: Epoch1 image has 0 hex-named root entries, expected 256 (00–ff)', () => check(asV1));
  const root = directory({ d: directory({ c: leaf({ type: 'character-device', rdev: 1 }) }) });
  const native = write(root, 1);
  native.writeUInt32LE(0, inodeAt(native, '/d/c').offset + 16);
  assertInvalid('Invalid image: Epoch1 image contains native whiteout outside root stubs', () => check(native));
  const inRoot = write(directory({ c: leaf({ type: 'character-device', rdev: 1 }) }), 1);
  inRoot.writeUInt32LE(0, inodeAt(inRoot, '/c').offset + 16);
  check(inRoot);
});

test('V2 has no escaped whiteouts, and may have native ones', () => {
  const data = write(directory({ d: directory({ w: leaf(WHITEOUT) }) }), 1);
  data.writeUInt32LE(2, 12);
  assertInvalid('Invalid image: Epoch2 image contains escaped whiteout', () => check(data));
  check(write(directory({ d: directory({ w: leaf(WHITEOUT) }) }), 2));
  const broken = write(directory({ f: leaf(inline('x'), stat(0o644, { xattrs: xattrs({ 'user.a': 'b' }) })) }), 2);
  broken.writeUInt8(255, inodeAt(broken, '/f').offset + 64 + 4);
  assertInvalid('Invalid image: Offset out of bounds', () => check(broken));
});

test('unknown versions and what cannot be read are passed over', () => {
  const unknown = image(2, ROOT);
  unknown.writeUInt32LE(3, 12);
  check(unknown);
  const data = image(2, '/ 0 40755 3 0 0 0 0.0 - - -', '/d 0 40755 2 0 0 0 0.0 - - -', '/f 1 100644 1 0 0 0 0.0 - x -');
  data.writeUInt16LE(6, inodeAt(data, '/f').offset);
  data.writeUInt16LE(5, inodeAt(data, '/d').offset + 64 + 8);
  check(data);
});

const A = 'aa'.repeat(32);
const B = 'bb'.repeat(32);

test('the objects of an image are those of its digests and redirects', () => {
  const file = (storage: 'external' | 'external-no-verity', id: string) =>
    storage === 'external'
      ? leaf({ type: 'regular', file: { storage, id: parseObjectId('sha256', id), size: 100 } })
      : leaf({ type: 'regular', file: { storage, payload: name(`${id.slice(0, 2)}/${id.slice(2)}`), size: 100 } });
  const root = directory({
    a: file('external', A),
    d: directory({ again: file('external', A), b: file('external-no-verity', B) }),
    sparse: leaf({ type: 'regular', file: { storage: 'sparse', size: 100 } }),
    inline: leaf(
      inline('x'),
      stat(0o644, { xattrs: xattrs({ 'trusted.overlay.redirect': `/cc/${'cc'.repeat(31)}` }) }),
    ),
  });
  for (const version of [0, 1, 2] as const) {
    assert.deepEqual([...collectObjects(write(root, version), 'sha256')].sort(), [A, B]);
    assert.deepEqual(collectObjects(write(root, version), 'sha512').size, 0);
    assert.deepEqual(
      collectObjects(write(simpleTree(), version), 'sha256'),
      new Set([trustedObjectId('5a'.repeat(32))]),
    );
  }
});

test('an image that cannot be read completely has no list of objects', () => {
  const data = image(2, ROOT, '/f 1 100644 1 0 0 0 0.0 - x -');
  data.writeUInt16LE(6, inodeAt(data, '/f').offset);
  assertInvalid(/invalid data layout/, () => collectObjects(data, 'sha256'));
  const asV1 = image(2, ROOT);
  asV1.writeUInt32LE(1, 12);
  assertInvalid(/Epoch1/, () => collectObjects(asV1, 'sha256'));
});

test('of an image with several faults, what breaks the rules of its version is told first', () => {
  // The symlink is met before the file that cannot be read, or after it, by the order of their names.
  for (const [broken, other] of [
    ['/a', '/b'],
    ['/b', '/a'],
  ] as const) {
    const lines = [`${broken} 1 100644 1 0 0 0 0.0 - x -`, `${other} 1 100644 1 0 0 0 0.0 - y -`].sort();
    const data = image(1, ROOT, ...lines);
    data.writeUInt16LE(6, inodeAt(data, broken).offset);
    assertInvalid(/invalid data layout/, () => collectObjects(data, 'sha256'));
    // One of the 256 stubs gets another name.
    const stub = data.indexOf('f0f1f2');
    assert.ok(stub > 0);
    data.write('F0', stub, 'latin1');
    assertInvalid(/Epoch1 image has 255 hex-named root entries/, () => collectObjects(data, 'sha256'));
  }
});

test('objects are collected from a changed image only if it keeps to the rules of its version', () => {
  const outcome = (action: () => unknown): string => {
    try {
      action();
      return 'right';
    } catch (error) {
      return String(error);
    }
  };
  for (const version of [0, 1, 2] as const) {
    const original = write(simpleTree(), version);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
        const data = Buffer.from(original);
        for (const [offset, byte] of changes) data[offset] = byte;
        const rules = outcome(() => fsckMetadata(ErofsImage.open(data).restrictToComposefs()));
        const collected = outcome(() => collectObjects(data, 'sha256'));
        if (rules !== 'right') assert.equal(collected, rules);
      }),
      { numRuns: 2000 },
    );
  }
});

test('a metacopy that is not valid for the algorithm names no object', () => {
  const root = directory({
    a: leaf({ type: 'regular', file: { storage: 'external', id: parseObjectId('sha256', A), size: 100 } }),
  });
  const data = write(root, 2);
  data.writeUInt8(1, data.indexOf('overlay.metacopy') + 16);
  data.write('x', data.indexOf('overlay.redirect') + 16 + 5, 'latin1');
  assert.equal(collectObjects(data, 'sha256').size, 0);
});
