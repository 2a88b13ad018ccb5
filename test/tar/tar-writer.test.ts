import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ByteString, byteStringFrom } from '../../src/bytes/byte-string.js';
import { type TarMember, tarMemberHeader, tarPadding } from '../../src/tar/tar-writer.js';
import { tarHeader } from '../support/tar-builder.js';

const bytes = (text: string): ByteString => text as ByteString;

const FILE: TarMember = {
  type: 'file',
  path: bytes('etc/passwd'),
  mode: 0o644,
  uid: 10,
  gid: 20,
  mtimeSec: 1_234_567_890,
  mtimeNsec: 0,
  size: 5,
};

/** The PAX records before the header, and the header. */
function parts(member: TarMember): { records: string; header: Buffer } {
  const all = tarMemberHeader(member);
  if (all.length === 512) return { records: '', header: all };
  const size = Number.parseInt(all.toString('latin1', 124, 135), 8);
  assert.equal(all.toString('latin1', 156, 157), 'x');
  assert.equal(all.length, 512 + size + tarPadding(size).length + 512);
  return { records: all.toString('latin1', 512, 512 + size), header: all.subarray(-512) };
}

const records = (change: Partial<TarMember>): string => parts({ ...FILE, ...change }).records;

test('what ustar can say is one block', () => {
  const header = tarMemberHeader(FILE);
  const expected = tarHeader({ name: 'etc/passwd', mode: 0o644, uid: 10, gid: 20, mtime: 1_234_567_890, size: 5 });
  assert.equal(header.length, 512);
  // The same but for the form of the checksum, and device numbers.
  assert.deepEqual(header.subarray(0, 148), expected.subarray(0, 148));
  assert.deepEqual(header.subarray(156, 329), expected.subarray(156, 329));
  assert.equal(header.toString('latin1', 148, 156), '011240\0 ');
  assert.equal(header.toString('latin1', 329, 345), '0000000\x000000000\0');
});

test('types, link targets and device numbers are in the header', () => {
  const typeOf = (change: Partial<TarMember>): string =>
    parts({ ...FILE, ...change }).header.toString('latin1', 156, 160);
  assert.equal(typeOf({ type: 'symlink', linkTarget: bytes('abc') }), '2abc');
  assert.equal(typeOf({ type: 'hardlink', linkTarget: bytes('abc') }), '1abc');
  assert.equal(typeOf({ type: 'directory', path: bytes('etc/') }), '5\0\0\0');
  assert.equal(typeOf({ type: 'fifo' }), '6\0\0\0');
  const { header } = parts({ ...FILE, type: 'block-device', device: { major: 8, minor: 0xfffff } });
  assert.equal(header.toString('latin1', 156, 157), '4');
  assert.equal(header.toString('latin1', 329, 345), '0000010\x003777777\0');
});

test('long names and targets are PAX records, cut in the header', () => {
  const name = 'a'.repeat(101);
  assert.equal(records({ path: bytes('a'.repeat(100)) }), '');
  assert.equal(records({ path: bytes(name) }), `111 path=${name}\n`);
  assert.equal(parts({ ...FILE, path: bytes(name) }).header.toString('latin1', 0, 101), `${'a'.repeat(100)}0`);
  assert.equal(records({ type: 'symlink', linkTarget: bytes(name) }), `115 linkpath=${name}\n`);
});

test('a long name that is not UTF-8 is announced as bytes; one that is, is not', () => {
  const other = 'a'.repeat(100);
  assert.equal(records({ path: bytes(`${other}\xff`) }), `21 hdrcharset=BINARY\n111 path=${other}\xff\n`);
  const text = byteStringFrom(Buffer.from(`${other}é`));
  assert.equal(records({ path: text }), `112 path=${other}\xc3\xa9\n`);
});

test('numbers beyond their fields are PAX records and 0 in the header', () => {
  assert.equal(records({ uid: 0o7777777, gid: 0o7777777 }), '');
  assert.equal(records({ uid: 0o7777777 + 1, gid: 4_294_967_295 }), '15 uid=2097152\n18 gid=4294967295\n');
  assert.equal(records({ size: 8 ** 11 }), '19 size=8589934592\n');
  assert.equal(parts({ ...FILE, size: 8 ** 11 }).header.toString('latin1', 124, 136), '00000000000\0');
});

test('times with a fraction, before 1970 and far away are PAX records', () => {
  assert.equal(records({ mtimeNsec: 500_000_000 }), '22 mtime=1234567890.5\n');
  assert.equal(records({ mtimeNsec: 1 }), '30 mtime=1234567890.000000001\n');
  assert.equal(records({ mtimeSec: -1 }), '12 mtime=-1\n');
  assert.equal(records({ mtimeSec: -1, mtimeNsec: 250_000_000 }), '15 mtime=-0.75\n');
  assert.equal(records({ mtimeSec: -3, mtimeNsec: 999_999_999 }), '22 mtime=-2.000000001\n');
  assert.equal(records({ mtimeSec: 8 ** 11 }), '20 mtime=8589934592\n');
});

test('xattrs are records in byte order, with what would end the key escaped', () => {
  const xattrs = new Map([
    [bytes('user.b'), bytes('\0\xff')],
    [bytes('user.a=%'), bytes('x=y\n')],
  ]);
  assert.equal(records({ xattrs }), '34 SCHILY.xattr.user.a%3D%25=x=y\n\n26 SCHILY.xattr.user.b=\0\xff\n');
});

test('the length of a record counts its own digits', () => {
  const record = (length: number): string => records({ xattrs: new Map([[bytes('n'), bytes('v'.repeat(length))]]) });
  for (const length of [75, 76, 77, 78, 79, 80, 975, 976, 977, 978]) {
    const text = record(length);
    assert.equal(Number.parseInt(text, 10), text.length);
  }
});

test('content is padded to whole blocks', () => {
  assert.deepEqual(
    [0, 1, 511, 512, 513].map((size) => tarPadding(size).length),
    [0, 511, 1, 0, 511],
  );
});
