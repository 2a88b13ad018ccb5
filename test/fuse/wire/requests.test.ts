import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as wire from '../../../src/fuse/wire/index.js';

/** Fails for every shorter body, and for none that is longer: newer kernels append fields. */
function assertNeeds(size: number, decode: (body: Buffer) => unknown): void {
  const body = Buffer.alloc(size + 24);
  for (let length = 0; length < size; length++) {
    assert.throws(() => decode(body.subarray(0, length)), { code: 'EINVAL', name: 'WireError' }, `${length} bytes`);
  }
  for (let length = size; length <= body.length; length++) decode(body.subarray(0, length));
}

const uint32 = fc.nat(0xffffffff);
const safeUint64 = fc.maxSafeNat();

test('the request header is that of fuse_in_header', () => {
  const bytes = Buffer.from('380000000100000008070605040302010f00000000000000e8030000e90300007b00000000000000', 'hex');
  assert.deepEqual(wire.decodeRequestHeader(bytes), {
    length: 0x38,
    opcode: wire.FUSE_LOOKUP,
    uniqueLow: 0x05060708,
    uniqueHigh: 0x01020304,
    node: 15,
    uid: 1000,
  });
  assertNeeds(40, wire.decodeRequestHeader);
});

test('READ, RELEASE, LSEEK and the xattr requests are those of linux/fuse.h, and none is taken if it is cut short', () => {
  fc.assert(
    fc.property(safeUint64, safeUint64, uint32, (handle, offset, size) => {
      const body = Buffer.alloc(40);
      body.writeBigUInt64LE(BigInt(handle), 0);
      body.writeBigUInt64LE(BigInt(offset), 8);
      body.writeUInt32LE(size, 16);
      assert.deepEqual(wire.decodeRead(body), { handle, offset, size });
      assert.equal(wire.decodeRelease(body), handle);
      assert.deepEqual(wire.decodeLseek(body), { offset, whence: size });
      assert.equal(wire.decodeXattrSize(body), body.readUInt32LE(0));
    }),
  );
  assertNeeds(40, wire.decodeRead);
  assertNeeds(24, wire.decodeRelease);
  assertNeeds(24, wire.decodeLseek);
  assertNeeds(8, wire.decodeXattrSize);
});

test('a name ends with its NUL, and one without is refused at each length', () => {
  const name = Buffer.from('user.näme\0rest', 'utf8');
  const end = name.indexOf(0);
  for (let length = 0; length <= end; length++) {
    assert.throws(() => wire.decodeName(name.subarray(0, length)), { code: 'EINVAL' });
  }
  for (let length = end + 1; length <= name.length; length++) {
    assert.equal(wire.decodeName(name.subarray(0, length)).toString('utf8'), 'user.näme');
  }
  const request = Buffer.concat([Buffer.alloc(8, 1), name]);
  assert.equal(wire.decodeXattrName(request).toString('utf8'), 'user.näme');
  for (let length = 0; length <= 8 + end; length++) {
    assert.throws(() => wire.decodeXattrName(request.subarray(0, length)), { code: 'EINVAL' });
  }
});

test('INIT has its second flags only if it says so, and not before version 7.36', () => {
  const body = Buffer.from('07000000290000000000020000000040200000000000', 'hex');
  const init = { major: 7, minor: 41, maxReadahead: 131072, flags: 0x40000000 };
  assert.deepEqual(wire.decodeInit(body), { ...init, flags2: 0x20 });
  assert.deepEqual(wire.decodeInit(body.subarray(0, 16)), { ...init, flags2: 0 });
  body.writeUInt32LE(1, 12);
  assert.deepEqual(wire.decodeInit(body), { ...init, flags: 1, flags2: 0 });
  assertNeeds(16, wire.decodeInit);
});
