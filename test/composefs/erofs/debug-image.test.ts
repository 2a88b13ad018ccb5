import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quoteOrHex, quoteText } from '../../../src/composefs/erofs/debug/quote.js';
import { debugImage, dumpUnassigned } from '../../../src/composefs/erofs/index.js';
import { directory, image, inodeAt, ROOT, simpleTree, write } from './support.js';

const EMPTY_V2 = `00000000 ComposefsHeader
      +0     magic: U32(3497550490)
      +4     version: U32(1)
      +c     composefs_version: U32(2)

00000020 Padding
    +3e0     # 992 nul bytes

00000400 Superblock
      +0     magic: U32(3774210530)
      +8     feature_compat: U32(6)
      +c     blkszbits: 12
      +e     root_nid: U16(36)
     +10     inos: U64(1)
     +24     blocks: U32(1)

# Filename "/"
# nid #36
00000480 ExtendedInodeHeader
      +0     format: 5 = Extended | Ok(FlatInline)
      +4     mode: 0040755 (directory)
      +8     size: U64(27)
     +14     ino: U32(36)
     +2c     nlink: U32(2)
     +40 --- inline directory entries ---
      +0     inode_offset: U64(36)
      +8     name_offset: U16(24)
      +a     file_type: Directory
     +18     # name: "."

      +c     inode_offset: U64(36)
     +14     name_offset: U16(25)
     +16     file_type: Directory
     +19     # name: ".."

000004db Padding
    +b25     # 2853 nul bytes


Space statistics (total size 4096B):
  extended inode = 91B, 2.22%
  header = 32B, 0.78%
  superblock = 128B, 3.12%
  padding extended inode -> eof = 2853B, 69.65%
  padding header -> superblock = 992B, 24.22%
`;

test('the dump of the empty V2 image is the pinned one', () => {
  assert.equal(debugImage(write(directory(), 2)), EMPTY_V2);
});

test('the dump of an external file shows fields, xattrs and the chunk address', () => {
  const dump = debugImage(write(simpleTree(), 2));
  const part = dump.slice(dump.indexOf('# Filename "/regular-external"'), dump.indexOf('# Filename "/regular-inline"'));
  assert.equal(
    part.slice(0, part.indexOf('\n\n') + 2),
    `# Filename "/regular-external"
# nid #50
00000640 ExtendedInodeHeader
      +0     format: 9 = Extended | Ok(ChunkBased)
      +2     xattr_icount: U16(37)
      +4     mode: 0100000 (regular file)
      +8     size: U64(1234)
     +10     u: U32(31)
     +14     ino: U32(50)
     +2c     nlink: U32(1)
     +40     name_filter: U32(2147352575)
     +4c     xattr: (4 16 36) trusted."overlay.metacopy" = "\\0$\\0\\u{1}ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"
     +84     xattr: (4 16 66) trusted."overlay.redirect" = "/5a/${'5a'.repeat(31)}"
     +d0                                       ff ff ff ff  |            ....|

`,
  );
});

test('the dump shows shared xattrs, blocks and inline text', () => {
  const files = Array.from(
    { length: 200 },
    (_, n) => `/f${String(n).padStart(20, '0')} 2 100644 1 0 0 0 0.0 - hi - user.a=b`,
  );
  const dump = debugImage(image(2, ROOT, ...files));
  assert.match(dump, /^ {5}\+50 {5}inline: "hi"$/m);
  assert.match(dump, /^ {5}\+4c {5}shared xattrs: \[U32\(\d+\)\]$/m);
  assert.match(dump, /^# xattr #\d+\n[0-9a-f]{8} \(1 1 1\) user\."a" = "b"\n[0-9a-f]{8} Padding/m);
  assert.match(dump, /^# block #\d+\n[0-9a-f]{8} Directory block\n {6}\+0 {5}inode_offset/m);
  assert.equal(dump.match(/^# Filename/gm)?.length, 1 + 200 + 200 + 2, 'files, users of the xattr, directory blocks');
});

test('what nothing refers to is shown, not passed over', () => {
  assert.equal([...dumpUnassigned(Buffer.alloc(3), 16)].join(''), '00000010 Padding\n      +3     # 3 nul bytes\n\n');
  assert.equal(
    [...dumpUnassigned(Buffer.from('a\0b'), 16)].join(''),
    '00000010 Unknown content\n      +0  61 00 62                                          |a.b             |\n\n',
  );
});

test('one offset cannot be two things', () => {
  const files = Array.from({ length: 100 }, (_, n) => `/f${n} 2 100644 1 0 0 0 0.0 - hi - user.a=b`);
  const data = image(2, ROOT, ...files, '/z 0 10644 1 0 0 0 0.0 - - -');
  // What is the inode of z becomes a shared xattr of another file, too.
  const [file, fifo] = [inodeAt(data, '/f7'), inodeAt(data, '/z')];
  data.writeUInt32LE(fifo.offset / 4, file.offset + 64 + 12);
  const offset = `0x${fifo.offset.toString(16)}`;
  assert.throws(() => debugImage(data), {
    kind: 'invalid-image',
    message: `Invalid image: conflicting segments at offset ${offset}: existing Discriminant(3) vs new Discriminant(4)`,
  });
});

test('bytes are quoted as text or shown as hex', () => {
  assert.equal(
    quoteText('\0\t\n\r"\\\'a\u{1}\u{7f}é\u{301}\u{200b}\u{a0} '),
    '"\\0\\t\\n\\r\\"\\\\\'a\\u{1}\\u{7f}é\\u{301}\\u{200b}\\u{a0} "',
  );
  assert.equal(quoteOrHex(Buffer.from([0x61, 0xff])), '61ff');
  assert.equal(quoteOrHex(Buffer.from('\u{feff}x')), '"\\u{feff}x"');
});
