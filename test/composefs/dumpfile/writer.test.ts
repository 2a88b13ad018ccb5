import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ByteString, byteStringFromText } from '../../../src/bytes/byte-string.js';
import {
  escapeBytes,
  escapeField,
  escapeXattr,
  unescapeBytes,
  unescapeBytesC,
} from '../../../src/composefs/dumpfile/escape.js';
import { directoryLine, hardlinkLine, leafLine } from '../../../src/composefs/dumpfile/format.js';
import {
  dumpfilePieces,
  dumpSingleDir,
  dumpSingleFile,
  writeDumpfile,
} from '../../../src/composefs/dumpfile/writer.js';
import { trustedObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { Directory, Leaf, type LeafContent, type RegularFile } from '../../../src/composefs/tree/inode.js';
import { getLeaf } from '../../../src/composefs/tree/lookup.js';
import { UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';
import { countLinks } from '../../../src/composefs/tree/walk.js';

const b = byteStringFromText;
const bytes = (text: string): ByteString => text as ByteString;
const DIGEST = trustedObjectId('5a'.repeat(32));

test('escapes', () => {
  const table: [ByteString, string, string][] = [
    [b('\\'), '\\\\', '\\\\'],
    [b('\n\r\t'), '\\n\\r\\t', '\\n\\r\\t'],
    [bytes('\x00\x1f\x20\x7f\xff'), '\\x00\\x1f\\x20\\x7f\\xff', '\\x00\\x1f\\x20\\x7f\\xff'],
    [b('a=b'), 'a=b', 'a\\x3db'],
    [b(''), '-', ''],
    [b('-'), '\\x2d', '-'],
    [b('a-b'), 'a-b', 'a-b'],
    [b('--'), '--', '--'],
    [b('!~'), '!~', '!~'],
  ];
  for (const [raw, field, xattr] of table) {
    assert.equal(escapeField(raw), field);
    assert.equal(escapeXattr(raw), xattr);
  }
});

test('every byte survives each kind of escape', () => {
  for (let byte = 0; byte < 256; byte++) {
    const raw = bytes(`a${String.fromCharCode(byte)}b`);
    for (const write of [escapeBytes, escapeField, escapeXattr]) {
      assert.match(write(raw), /^[!-~]+$/);
      assert.equal(unescapeBytes(write(raw) as ByteString), raw);
      assert.equal(unescapeBytesC(write(raw) as ByteString), raw);
    }
  }
});

test('bad escapes are refused in the words of either tool', () => {
  const table: [string, string, string][] = [
    ['a\\', 'Unterminated escape', 'No character after escape'],
    ['\\x4', 'Unterminated hex escape', 'No hex characters after hex escape'],
    ['\\x', 'Unterminated hex escape', 'No hex characters after hex escape'],
    ['\\x4z', 'Invalid hex escape 4z', 'Invalid hex characters after hex escape'],
    ['\\x+f', 'Invalid hex escape +f', 'Invalid hex characters after hex escape'],
    ['\\q', 'Invalid escape q', 'Unsupported escape type q'],
    ['\\\xc3\xa9', 'Invalid escape é', 'Unsupported escape type é'],
  ];
  for (const [text, rust, c] of table) {
    assert.throws(() => unescapeBytes(bytes(text)), { message: rust, code: 'INVALID_DUMPFILE' });
    assert.throws(() => unescapeBytesC(bytes(text)), { message: c, code: 'INVALID_DUMPFILE' });
  }
  assert.equal(unescapeBytes(bytes('\\x4F\\x4f')), 'OO');
});

test('each type of inode has its line', () => {
  const file = (regular: RegularFile): LeafContent => ({ type: 'regular', file: regular });
  const path = `5a/${'5a'.repeat(31)}`;
  const table: [LeafContent, string][] = [
    [file({ storage: 'inline', data: Buffer.from('hi you') }), '/p 6 100000 1 0 0 0 0.0 - hi\\x20you -'],
    [file({ storage: 'inline', data: Buffer.alloc(0) }), '/p 0 100000 1 0 0 0 0.0 - - -'],
    [file({ storage: 'inline', data: Buffer.from('-') }), '/p 1 100000 1 0 0 0 0.0 - \\x2d -'],
    [file({ storage: 'external', id: DIGEST, size: 9 }), `/p 9 100000 1 0 0 0 0.0 ${path} - ${DIGEST}`],
    [file({ storage: 'external-no-verity', payload: b(path), size: 9 }), `/p 9 100000 1 0 0 0 0.0 ${path} - ${DIGEST}`],
    [
      file({ storage: 'external-no-verity', payload: b('any where'), size: 9 }),
      '/p 9 100000 1 0 0 0 0.0 any\\x20where - -',
    ],
    [file({ storage: 'sparse', size: 2 ** 50 }), '/p 1125899906842624 100000 1 0 0 0 0.0 - - -'],
    [{ type: 'symlink', target: b('/target') }, '/p 7 120000 1 0 0 0 0.0 /target - -'],
    [{ type: 'block-device', rdev: 123 }, '/p 0 60000 1 0 0 123 0.0 - - -'],
    [{ type: 'character-device', rdev: 0 }, '/p 0 20000 1 0 0 0 0.0 - - -'],
    [{ type: 'fifo' }, '/p 0 10000 1 0 0 0 0.0 - - -'],
    [{ type: 'socket' }, '/p 0 140000 1 0 0 0 0.0 - - -'],
  ];
  for (const [content, line] of table) assert.equal(leafLine('/p', UNINITIALIZED_STAT, content, 1), line);
  assert.equal(hardlinkLine('/a\\x20b', '/c\\x20d'), '/a\\x20b 0 @120000 - - - - 0.0 /c\\x20d - -');
});

test('the stat: nanoseconds are not padded, seconds may be negative, xattrs are sorted', () => {
  const xattrs = new Map([
    [b('user.z'), b('1')],
    [b('user.e'), b('')],
    [b('user.d'), b('-')],
    [b('trusted.a=b'), b('x y=')],
  ]);
  const stat = { mode: 0o1755, uid: 1, gid: 2, mtimeSec: -5, mtimeNsec: 1, xattrs };
  assert.equal(
    directoryLine('/d', stat, 2),
    '/d 0 41755 2 1 2 0 -5.1 - - - trusted.a\\x3db=x\\x20y\\x3d user.d=- user.e= user.z=1',
  );
});

function sampleTree(): Directory {
  const root = new Directory(UNINITIALIZED_STAT);
  const a = new Directory(UNINITIALIZED_STAT);
  const shared = new Leaf(UNINITIALIZED_STAT, { type: 'fifo' });
  root.insert(b('a.txt'), shared);
  root.insert(b('a'), a);
  a.insert(b('b'), new Directory(UNINITIALIZED_STAT));
  a.insert(b('z z'), shared);
  return root;
}

test('lines come depth first, siblings by name and not by path; a hard link names the first path', () => {
  assert.deepEqual(
    [...writeDumpfile(sampleTree())],
    [
      '/ 0 40000 3 0 0 0 0.0 - - -\n',
      '/a 0 40000 3 0 0 0 0.0 - - -\n',
      '/a/b 0 40000 2 0 0 0 0.0 - - -\n',
      '/a/z\\x20z 0 10000 2 0 0 0 0.0 - - -\n',
      '/a.txt 0 @120000 - - - - 0.0 /a/z\\x20z - -\n',
    ],
  );
});

test('a part of a tree has full paths and the link counts of the whole', () => {
  const root = sampleTree();
  const a = root.lookup(b('a'));
  assert(a instanceof Directory);
  const links = countLinks(root);
  assert.deepEqual(
    [...dumpSingleDir(a, b('/a'), links)],
    ['/a 0 40000 3 0 0 0 0.0 - - -\n', '/a/b 0 40000 2 0 0 0 0.0 - - -\n', '/a/z\\x20z 0 10000 2 0 0 0 0.0 - - -\n'],
  );
  assert.equal(dumpSingleFile(getLeaf(a, b('z z')), b('/a/z z'), links), '/a/z\\x20z 0 10000 2 0 0 0 0.0 - - -\n');
});

test('the pieces of a dumpfile are its lines, many in each', () => {
  assert.deepEqual([...dumpfilePieces(sampleTree())], [[...writeDumpfile(sampleTree())].join('')]);
  const root = new Directory(UNINITIALIZED_STAT);
  for (let number = 0; number < 5000; number++) {
    root.insert(b(`file ${number}`), new Leaf(UNINITIALIZED_STAT, { type: 'fifo' }));
  }
  const pieces = [...dumpfilePieces(root)];
  assert.equal(pieces.join(''), [...writeDumpfile(root)].join(''));
  assert.ok(pieces.every((piece) => piece.endsWith('\n')));
  assert.deepEqual(
    pieces.map((piece) => piece.length >= 65536 && piece.length < 65536 + 100),
    [true, true, true, false],
  );
});
