import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as wire from '../../../src/fuse/wire/index.js';

const ATTRIBUTES: wire.Attributes = {
  ino: 0x102,
  size: 2 ** 40 + 5,
  blocks: 9,
  mtimeSec: -2,
  mtimeNsec: 999_999_999,
  mode: 0o100644,
  nlink: 3,
  uid: 1000,
  gid: 2000,
  rdev: 0x0301,
};
/** `struct fuse_attr` by hand: eight-byte words, then four-byte ones. */
const ATTRIBUTES_HEX = [
  '0201000000000000 0500000000010000 0900000000000000',
  'feffffffffffffff feffffffffffffff feffffffffffffff',
  'ffc99a3b ffc99a3b ffc99a3b a4810000 03000000 e8030000 d0070000 01030000 00100000 00000000',
].join(' ');
const VALID = '40420f0000000000';

/** Encodes into a dirty buffer, at an offset, and gives what was written; nothing around it may change. */
function written(size: number, encode: (target: Buffer, offset: number) => number): string {
  const target = Buffer.alloc(size + 16, 0xee);
  assert.equal(encode(target, 8), size);
  assert.equal(target.toString('hex', 0, 8), 'ee'.repeat(8));
  assert.equal(target.toString('hex', size + 8), 'ee'.repeat(8));
  return target.toString('hex', 8, size + 8);
}

function hex(...parts: readonly string[]): string {
  return parts.join('').replaceAll(' ', '');
}

test('attributes are fuse_attr_out, an entry is fuse_entry_out', () => {
  assert.equal(
    written(104, (target, offset) => wire.encodeAttributesReply(target, offset, ATTRIBUTES)),
    hex(VALID, '0000000000000000', ATTRIBUTES_HEX),
  );
  assert.equal(
    written(128, (target, offset) => wire.encodeEntry(target, offset, 0x77, ATTRIBUTES)),
    hex('7700000000000000 0000000000000000', VALID, VALID, '00000000 00000000', ATTRIBUTES_HEX),
  );
});

test('a missing name is an entry without a node, valid as long as any other', () => {
  assert.equal(
    written(128, wire.encodeNoEntry),
    hex('0000000000000000 0000000000000000', VALID, VALID, '00'.repeat(8 + 88)),
  );
});

test('directory entries are padded to eight bytes', () => {
  const record = { ino: 5, nextOffset: 4108, type: 4, name: Buffer.from('abc') };
  const dirent = '0500000000000000 0c10000000000000 03000000 04000000 616263 0000000000';
  assert.equal(
    written(32, (target, offset) => wire.encodeDirent(target, offset, record)),
    hex(dirent),
  );
  assert.equal(
    written(160, (target, offset) => wire.encodeDirentPlus(target, offset, record, ATTRIBUTES)),
    hex('0500000000000000 0000000000000000', VALID, VALID, '00'.repeat(8), ATTRIBUTES_HEX, dirent),
  );
  assert.equal(
    written(160, (target, offset) => wire.encodeDirentPlus(target, offset, record, undefined)),
    hex('00'.repeat(16), VALID, VALID, '00'.repeat(8 + 88), dirent),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), (name) => {
      const size = wire.direntSize(name.length);
      assert(size % 8 === 0 && size >= 24 + name.length && size < 32 + name.length);
      const bytes = written(size, (target, offset) => wire.encodeDirent(target, offset, { ...record, name }));
      assert.equal(bytes.slice(48, 48 + 2 * name.length), Buffer.from(name).toString('hex'));
      assert.match(bytes.slice(48 + 2 * name.length), /^0*$/);
      assert.equal(wire.direntPlusSize(name.length), 128 + size);
    }),
  );
});

test('OPEN, xattr sizes, STATFS, LSEEK and the header of a reply', () => {
  assert.equal(
    written(16, (target, offset) => wire.encodeOpen(target, offset, 2 ** 48 + 3, wire.FOPEN_PASSTHROUGH, 7)),
    hex('0300000000000100 80000000 07000000'),
  );
  assert.equal(
    written(8, (target, offset) => wire.encodeXattrSize(target, offset, 258)),
    hex('02010000 00000000'),
  );
  assert.equal(
    written(8, (target, offset) => wire.encodeLseek(target, offset, 2 ** 33)),
    hex('0000000002000000'),
  );
  assert.equal(written(80, wire.encodeStatfs), hex('00'.repeat(40), '00100000 ff000000 00100000', '00'.repeat(28)));
  const header = { length: 40, opcode: 1, uniqueLow: 1, uniqueHigh: 0x80000000, node: 1, uid: 0 };
  const reply = Buffer.alloc(16, 0xee);
  wire.encodeReplyHeader(reply, 16, wire.EIO, header);
  assert.equal(reply.toString('hex'), hex('10000000 fbffffff 0100000000000080'));
});

test('the reply to INIT is fuse_init_out', () => {
  const reply = {
    major: 7,
    minor: 40,
    maxReadahead: 131072,
    flags: wire.INIT_EXT | wire.INIT_MAX_PAGES,
    flags2: wire.INIT2_PASSTHROUGH,
    maxBackground: 64,
    congestionThreshold: 48,
    maxWrite: 4096,
    maxPages: 256,
    maxStackDepth: 1,
  };
  assert.equal(
    written(64, (target, offset) => wire.encodeInit(target, offset, reply)),
    hex('07000000 28000000 00000200 00004040 4000 3000 00100000 01000000 0001 0000 20000000 01000000', '00'.repeat(24)),
  );
});
